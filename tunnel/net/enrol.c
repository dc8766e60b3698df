/* SPDX-License-Identifier: MIT */
/* The words between an endpoint and a relay; see enrol.h. */
#include "enrol.h"

#include <string.h>

int enrol_hello(const struct enrol *enrol, const uint8_t binding[RELAY_BINDING_LEN], struct buf *b,
		struct err *err)
{
	struct relay_hello hello = { .role = enrol->role, .token = span_of_str(enrol->token) };
	uint8_t text[RELAY_SIGNED_LEN];

	memcpy(hello.tag, enrol->tag.bytes, sizeof(hello.tag));
	memcpy(hello.id, enrol->id.bytes, sizeof(hello.id));
	if (enrol->role == RELAY_JOB) {
		memcpy(hello.key, enrol->key->public.bytes, sizeof(hello.key));
		relay_signed(binding, &hello, text);
		if (key_sign(enrol->key, span_of(text, sizeof(text)), hello.signature, err) < 0)
			return -1;
	}
	if (!relay_hello_format(&hello, b))
		return err_set(err, ERR_LIMIT, "the relay's token is longer than %d bytes",
			       RELAY_TOKEN_MAX);
	return 0;
}

static int hear_welcome(const struct enrol_ops *ops, void *owner, struct span value,
			struct err *err)
{
	struct relay_welcome welcome;

	if (relay_welcome_parse(value, &welcome, err) < 0)
		return -1;
	if (ops->welcome)
		ops->welcome(owner, &welcome);
	return 0;
}

static int hear_observed(const struct enrol_ops *ops, void *owner, struct span value,
			 struct err *err)
{
	struct relay_address observed;

	if (relay_observed_parse(value, &observed, err) < 0)
		return -1;
	if (ops->observed)
		ops->observed(owner, &observed);
	return 0;
}

static int hear_peer(const struct enrol_ops *ops, void *owner, struct span value, struct err *err)
{
	struct relay_peer peer;
	struct quic_tag tag;

	if (relay_peer_parse(value, &peer, err) < 0)
		return -1;
	memcpy(tag.bytes, peer.tag, sizeof(tag.bytes));
	if (ops->peer)
		ops->peer(owner, &tag, peer.is_here);
	return 0;
}

static int hear_refused(const struct enrol_ops *ops, void *owner, struct span value,
			struct err *err)
{
	struct relay_refused refused;
	const char *words;
	struct err why;

	if (relay_refused_parse(value, &refused, err) < 0)
		return -1;
	words = relay_code_text(refused.code);
	err_set(&why, relay_code_kind(refused.code), "%s", words);
	if (refused.text.len > 0 && !span_equal(refused.text, span_of_str(words)))
		err_set(&why, why.kind, "%s (%.*s)", words, (int)refused.text.len,
			(const char *)refused.text.ptr);
	if (ops->refused)
		ops->refused(owner, &why, refused.retry_ms);
	return 0;
}

static int hear_drain(const struct enrol_ops *ops, void *owner, struct span value, struct err *err)
{
	uint32_t retry_ms;

	if (relay_drain_parse(value, &retry_ms, err) < 0)
		return -1;
	if (ops->drain)
		ops->drain(owner, retry_ms);
	return 0;
}

static int hear_pong(const struct enrol_ops *ops, void *owner, struct span value, struct err *err)
{
	uint8_t bytes[RELAY_PING_LEN];

	if (relay_ping_parse(value, bytes, err) < 0)
		return -1;
	if (ops->pong)
		ops->pong(owner, bytes);
	return 0;
}

static int hear_challenge(const struct enrol_ops *ops, void *owner, struct span value,
			  struct err *err)
{
	uint8_t binding[RELAY_BINDING_LEN];

	if (relay_challenge_parse(value, binding, err) < 0)
		return -1;
	if (ops->challenge)
		ops->challenge(owner, binding);
	return 0;
}

int enrol_hear(const struct enrol_ops *ops, void *owner, uint64_t type, struct span value,
	       struct err *err)
{
	static const struct {
		uint64_t type;
		int (*hear)(const struct enrol_ops *ops, void *owner, struct span value,
			    struct err *err);
	} words[] = {
		{ RELAY_WELCOME, hear_welcome },     { RELAY_OBSERVED, hear_observed },
		{ RELAY_PEER, hear_peer },	     { RELAY_REFUSED, hear_refused },
		{ RELAY_DRAIN, hear_drain },	     { RELAY_PONG, hear_pong },
		{ RELAY_CHALLENGE, hear_challenge },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (words[i].type == type)
			return words[i].hear(ops, owner, value, err);
	}
	return 0;
}
