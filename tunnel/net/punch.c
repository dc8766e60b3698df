/* SPDX-License-Identifier: MIT */
/* One connection's agent, and what its ends tell each other; see punch.h. */
#include "punch.h"

#include <string.h>

#include "init/base/alloc.h"
#include "init/base/log.h"
#include "init/base/secret.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/punch_internal.h"
#include "tunnel/wire/punch.h"

/* A round of candidates, and then some. */
#define TELL_MAX 4096

/* What the peer is told */

static void put_address(const struct quic_addr *addr, struct relay_address *ret)
{
	*ret = (struct relay_address){ .port = addr_port(addr) };
	if (addr_family(addr) == AF_INET) {
		ret->family = 4;
		memcpy(ret->bytes, &addr->v4.sin_addr, 4);
	} else {
		ret->family = 6;
		memcpy(ret->bytes, &addr->v6.sin6_addr, 16);
	}
}

static struct quic_addr get_address(const struct relay_address *address)
{
	struct quic_addr addr = addr_any(address->family == 4 ? AF_INET : AF_INET6, address->port);

	if (address->family == 4)
		memcpy(&addr.v4.sin_addr, address->bytes, 4);
	else
		memcpy(&addr.v6.sin6_addr, address->bytes, 16);
	/* One form of each address inside the program. */
	return addr_from_sockaddr(&addr.any);
}

static void send_told(struct punch *punch)
{
	size_t len;

	if (!punch->stream)
		return;
	len = MIN(h3_stream_room(punch->stream), buf_len(&punch->tell));
	if (len > 0 && h3_stream_write(punch->stream, span_of(buf_span(&punch->tell).ptr, len)))
		buf_consume(&punch->tell, len);
}

static void tell(struct punch *punch, const struct ice_event *event)
{
	struct punch_candidate candidate = {
		.kind = event->candidate.kind == ICE_HOST ? PUNCH_HOST : PUNCH_REFLEXIVE,
	};
	bool fits;

	if (event->kind == ICE_TELL_ROUND) {
		fits = punch_round_format(event->round, &punch->tell);
	} else {
		put_address(&event->candidate.addr, &candidate.address);
		fits = punch_candidate_format(&candidate, &punch->tell);
	}
	/* A peer that reads nothing is told nothing more, and finds what it finds. */
	if (!fits)
		log_debug("punch: the peer does not listen");
	send_told(punch);
}

static void on_event(struct punch *punch, const struct ice_event *event)
{
	char text[ADDR_TEXT_MAX];

	if (event->kind != ICE_TELL_ROUND)
		addr_format(&event->candidate.addr, text);
	switch (event->kind) {
	case ICE_TELL_ROUND:
	case ICE_TELL_CANDIDATE:
		tell(punch, event);
		break;
	case ICE_VALID:
		log_debug("punch: %s (%s) answers after %.1f ms", text,
			  ice_kind_name(event->candidate.kind), (double)event->rtt_ns / 1e6);
		break;
	case ICE_CHOSEN:
		log_debug("punch: %s (%s) is the way", text, ice_kind_name(event->candidate.kind));
		if (punch->ops)
			punch->ops->chosen(punch->owner, &event->candidate.addr,
					   ice_kind_name(event->candidate.kind), event->rtt_ns);
		break;
	case ICE_LOST:
		log_debug("punch: %s does not answer any more", text);
		if (punch->ops)
			punch->ops->lost(punch->owner);
		break;
	}
}

/* After anything happened to an agent. */
void punch_settle(struct punch *punch)
{
	struct ice_event event;

	while (ice_agent_next_event(punch->agent, &event))
		on_event(punch, &event);
	if (punch->punches)
		hub_wake(&punch->punches->user);
}

/* The stream */

static bool is_stream(void *user, uint64_t type)
{
	(void)user;
	(void)type;
	return false;
}

static int on_capsule(void *user, uint64_t type, struct span value, struct err *err)
{
	struct punch *punch = user;
	struct punch_candidate told;
	struct ice_candidate candidate;
	uint64_t number;

	if (type == PUNCH_ROUND) {
		if (punch_round_parse(value, &number, err) < 0)
			return -1;
		ice_agent_remote_round(punch->agent, clock_now());
	} else if (type == PUNCH_CANDIDATE) {
		if (punch_candidate_parse(value, &told, err) < 0)
			return -1;
		if (told.kind > PUNCH_REFLEXIVE)
			return 0;
		candidate.kind = told.kind == PUNCH_HOST ? ICE_HOST : ICE_REFLEXIVE;
		candidate.addr = get_address(&told.address);
		ice_agent_add_remote(punch->agent, &candidate, clock_now());
	}
	return 0;
}

static const struct capsule_ops capsule_ops = { .is_stream = is_stream, .whole = on_capsule };

static void on_body(struct h3_stream *stream, void *user, struct span bytes)
{
	struct punch *punch = user;
	struct err err;

	h3_stream_consumed(stream, bytes.len);
	if (punch->is_broken)
		return;
	if (capsule_reader_feed(&punch->reader, bytes, &err) < 0) {
		log_debug("punch: %s", err.text);
		punch->is_broken = true;
		h3_stream_reset(stream);
		return;
	}
	punch_settle(punch);
}

static void on_response(struct h3_stream *stream, void *user, int status)
{
	struct punch *punch = user;

	if (status == 200)
		return;
	log_debug("punch: the job answers %d", status);
	punch->is_broken = true;
	h3_stream_reset(stream);
}

static void on_end(struct h3_stream *stream, void *user)
{
	(void)user;
	h3_stream_end(stream);
}

static void on_writable(struct h3_stream *stream, void *user)
{
	(void)stream;
	send_told(user);
}

void punch_free(struct punch *punch)
{
	if (punch->punches)
		punches_remove(punch->punches, punch);
	ice_agent_free(punch->agent);
	capsule_reader_finish(&punch->reader);
	buf_finish(&punch->tell);
	free(punch);
}

static void on_closed(struct h3_stream *stream, void *user, const struct err *why)
{
	struct punch *punch = user;

	(void)stream;
	(void)why;
	punch->stream = NULL;
	if (punch->ops)
		punch->ops->over(punch->owner);
	punch_free(punch);
}

const struct h3_stream_ops punch_stream_ops = {
	.response = on_response,
	.body = on_body,
	.end = on_end,
	.writable = on_writable,
	.closed = on_closed,
};

struct punch *punch_new(struct punches *p, enum ice_role role, const struct secret *secret,
			struct err *err)
{
	const struct ice_config config = { .role = role, .secret = secret, .now = clock_now() };
	struct ice_agent *agent = ice_agent_new(&config, err);
	struct punch *punch;

	if (!agent)
		return NULL;
	punch = new_zero(struct punch);
	punch->punches = p;
	punch->agent = agent;
	buf_init(&punch->tell, TELL_MAX);
	capsule_reader_init(&punch->reader, &capsule_ops, punch, PUNCH_VALUE_MAX);
	punches_add(p, punch);
	return punch;
}

void punch_close(struct punch *punch)
{
	if (!punch)
		return;
	punch->ops = NULL;
	if (!punch->is_broken)
		h3_stream_reset(punch->stream);
}

void punch_lost(struct punch *punch)
{
	const struct punch_ops *ops = punch->ops;

	/* Who says so knows it. */
	punch->ops = NULL;
	ice_agent_lost(punch->agent, clock_now());
	punch_settle(punch);
	punch->ops = ops;
}

/* Else a client could have any number of agents check for it. */
static bool is_second(const struct punch *punch)
{
	const struct punch *other = punch->punches->first;

	while (other && (other == punch || !ice_agent_is_same(other->agent, punch->agent)))
		other = other->next;
	return other;
}

void punch_accept(struct punches *p, struct h3_stream *stream)
{
	cleanup(secret_finish) struct secret secret = { 0 };
	struct punch *punch;
	struct err err;

	if (h3_stream_export(stream, PUNCH_EXPORT_LABEL, &secret, &err) < 0 ||
	    !(punch = punch_new(p, ICE_CONTROLLED, &secret, &err))) {
		h3_stream_reject(stream, &err);
		return;
	}
	if (is_second(punch)) {
		punch_free(punch);
		err_set(&err, ERR_EXISTS, "the connection looks for direct ways already");
		h3_stream_reject(stream, &err);
		return;
	}
	punch->stream = stream;
	h3_stream_set_ops(stream, &punch_stream_ops, punch);
	h3_stream_respond(stream, 200);
	punch_settle(punch);
}
