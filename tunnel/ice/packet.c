/* SPDX-License-Identifier: MIT */
/* What checks and their answers say, and who may say it (RFC 8445 section 7). */
#include "tunnel/ice/internal.h"

#include <assert.h>
#include <stdio.h>

#include "init/base/text.h"
#include "tunnel/crypto/key.h"

/* PRIORITY of the candidate that a check would find: type 110, RFC 8445 section 5.1.2. */
#define FOUND_PRIORITY (UINT32_C(110) << 24 | UINT32_C(65535) << 8 | 255)

static int derive_end(const struct secret *secret, const char *info, struct ice_end *ret,
		      struct err *err)
{
	cleanup(secret_finish) struct secret key = { 0 };

	static_assert(ICE_NAME_LEN + ICE_PASSWORD_LEN == 2 * SECRET_LEN, "one secret makes both");
	if (key_derive(secret, info, &key, err) < 0)
		return -1;
	text_hex(span_of(key.bytes, ICE_NAME_LEN / 2), ret->name, sizeof(ret->name));
	text_hex(span_of(key.bytes + ICE_NAME_LEN / 2, ICE_PASSWORD_LEN / 2), ret->password,
		 sizeof(ret->password));
	return 0;
}

int ice_keys_derive(struct ice_agent *agent, const struct secret *secret, struct err *err)
{
	bool is_client = agent->role == ICE_CONTROLLING;

	if (derive_end(secret, "berth ice client", is_client ? &agent->ours : &agent->theirs, err) <
		    0 ||
	    derive_end(secret, "berth ice job", is_client ? &agent->theirs : &agent->ours, err) < 0)
		return err_wrap(err, "keys of address checks");
	return 0;
}

/* The one that is asked first, as in RFC 8445 section 7.2.2. */
static struct span username(const struct ice_end *asked, const struct ice_end *asks,
			    char out[ICE_USERNAME_LEN + 1])
{
	snprintf(out, ICE_USERNAME_LEN + 1, "%s:%s", asked->name, asks->name);
	return span_of(out, ICE_USERNAME_LEN);
}

static void write_message(const struct stun_message *message, const struct ice_end *asked,
			  struct ice_packet *ret)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(ICE_PACKET_MAX);
	struct span key = span_of(asked->password, ICE_PASSWORD_LEN);
	bool fits = stun_format(message, STUN_SHA256, key, &b);

	assert(fits);
	ret->len = buf_len(&b);
	memcpy(ret->bytes, buf_span(&b).ptr, ret->len);
}

bool ice_packet_write_answer(struct ice_agent *agent, struct ice_packet *ret)
{
	struct stun_message message = { .class = STUN_SUCCESS };
	const struct ice_answer *answer;

	if (agent->answer_count == 0)
		return false;
	answer = &agent->answers[agent->answer_first];
	agent->answer_first = (agent->answer_first + 1) % ICE_ANSWERS_MAX;
	agent->answer_count--;
	memcpy(message.transaction, answer->transaction, STUN_TRANSACTION_LEN);
	if (answer->error) {
		message.class = STUN_ERROR;
		message.error = answer->error;
	} else {
		message.mapped = answer->path.remote;
	}
	ret->path = answer->path;
	write_message(&message, &agent->ours, ret);
	return true;
}

void ice_packet_write_check(struct ice_agent *agent, struct ice_pair *pair, bool nominates,
			    struct ice_packet *ret)
{
	char name[ICE_USERNAME_LEN + 1];
	struct stun_message message = {
		.class = STUN_REQUEST,
		.username = username(&agent->theirs, &agent->ours, name),
		.has_priority = true,
		.priority = FOUND_PRIORITY,
		.use_candidate = nominates,
		.role = agent->role == ICE_CONTROLLING ? STUN_CONTROLLING : STUN_CONTROLLED,
		.tie_breaker = agent->tie_breaker,
	};

	memcpy(message.transaction, pair->transaction, STUN_TRANSACTION_LEN);
	ret->path = (struct quic_path){ .remote = pair->remote };
	write_message(&message, &agent->theirs, ret);
}

/* Whether somebody repeats a request of the peer from another address. */
static bool is_replayed(struct ice_agent *agent, const struct quic_addr *from,
			const uint8_t transaction[STUN_TRANSACTION_LEN])
{
	for (size_t i = 0; i < ICE_SEEN_MAX; i++) {
		const struct ice_seen *seen = &agent->seen[i];

		if (seen->from.len > 0 &&
		    memcmp(seen->transaction, transaction, STUN_TRANSACTION_LEN) == 0)
			return !quic_addr_equal(&seen->from, from);
	}
	agent->seen[agent->seen_next].from = *from;
	memcpy(agent->seen[agent->seen_next].transaction, transaction, STUN_TRANSACTION_LEN);
	agent->seen_next = (agent->seen_next + 1) % ICE_SEEN_MAX;
	return false;
}

static void queue_answer(struct ice_agent *agent, const struct quic_path *path,
			 const struct stun_message *message, unsigned int error)
{
	struct ice_answer *answer;

	if (agent->answer_count == ICE_ANSWERS_MAX)
		return;
	answer = &agent->answers[(agent->answer_first + agent->answer_count++) % ICE_ANSWERS_MAX];
	answer->path = *path;
	answer->error = error;
	memcpy(answer->transaction, message->transaction, STUN_TRANSACTION_LEN);
}

static bool read_request(struct ice_agent *agent, const struct quic_path *path,
			 const struct stun_message *message, uint64_t now)
{
	enum stun_role expected =
		agent->role == ICE_CONTROLLING ? STUN_CONTROLLED : STUN_CONTROLLING;
	char name[ICE_USERNAME_LEN + 1];

	if (!span_equal(message->username, username(&agent->ours, &agent->theirs, name)) ||
	    !stun_verify(message, STUN_SHA256, span_of(agent->ours.password, ICE_PASSWORD_LEN)))
		return false;
	if (is_replayed(agent, &path->remote, message->transaction))
		return true;
	if (message->unknown || message->role != expected) {
		queue_answer(agent, path, message,
			     message->unknown ? STUN_UNKNOWN_ATTRIBUTE : STUN_ROLE_CONFLICT);
		return true;
	}
	queue_answer(agent, path, message, 0);
	ice_agent_asked(agent, &path->remote, message->use_candidate, now);
	return true;
}

/* The pair whose running series has this transaction. */
static struct ice_pair *find_transaction(struct ice_agent *agent,
					 const uint8_t transaction[STUN_TRANSACTION_LEN])
{
	for (size_t i = 0; i < agent->pair_count; i++) {
		struct ice_pair *pair = &agent->pairs[i];

		if (pair->is_checking && transaction[STUN_TRANSACTION_LEN - 1] < pair->sent &&
		    memcmp(pair->transaction, transaction, STUN_TRANSACTION_LEN - 1) == 0)
			return pair;
	}
	return NULL;
}

static bool read_answer(struct ice_agent *agent, const struct quic_path *path,
			const struct stun_message *message, uint64_t now)
{
	struct ice_pair *pair = find_transaction(agent, message->transaction);

	/* An answer comes from where the question went (RFC 8445 section 7.2.5.2.1). */
	if (!pair || !quic_addr_equal(&pair->remote, &path->remote) ||
	    !stun_verify(message, STUN_SHA256, span_of(agent->theirs.password, ICE_PASSWORD_LEN)))
		return false;
	pair->is_checking = false;
	if (message->class == STUN_SUCCESS && message->mapped.len > 0)
		ice_agent_answered(
			agent, pair,
			now - pair->sent_at[message->transaction[STUN_TRANSACTION_LEN - 1]], now);
	else
		ice_agent_gave_up(agent, pair, now);
	return true;
}

bool ice_agent_read(struct ice_agent *agent, const struct quic_path *path,
		    const struct stun_message *message, uint64_t now)
{
	if (!message->has_fingerprint)
		return false;
	switch (message->class) {
	case STUN_REQUEST:
		return read_request(agent, path, message, now);
	case STUN_SUCCESS:
	case STUN_ERROR:
		return read_answer(agent, path, message, now);
	case STUN_INDICATION:
		break;
	}
	return false;
}
