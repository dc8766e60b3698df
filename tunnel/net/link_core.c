/* SPDX-License-Identifier: MIT */
/* What a link does when; see link_core.h. */
#include "link_core.h"

#include <string.h>

#include "init/base/alloc.h"
#include "tunnel/net/link_internal.h"
#include "tunnel/net/path.h"

/* Until the relay's key is proved, and from HELLO to WELCOME. */
#define DIAL_FOR (5 * NSEC_PER_SEC)
#define HELLO_FOR (5 * NSEC_PER_SEC)
/* An answer to a question that was asked at once. */
#define ANSWER_LEAST (600 * NSEC_PER_MSEC)
#define ANSWER_RTTS 3
/* Heartbeats are the connection's own; so much later one counts as missed. */
#define MISSED_AFTER (4 * NSEC_PER_SEC)
#define WAKE_APART (500 * NSEC_PER_MSEC)
/*
 * How long inner packets may leave and none arrive before the relay is asked whether it is there;
 * doubled while it says so, since then it is the other end that is silent.
 */
#define PATIENCE_FIRST (500 * NSEC_PER_MSEC)
#define PATIENCE_MOST (30 * NSEC_PER_SEC)

/* Time */

/* Something must come within this time, or the way is dead. */
static void expect_answer(struct link_core *core, uint64_t least)
{
	uint64_t rtt = link_core_rtt(core);

	if (core->check_at != QUIC_NEVER)
		return;
	core->check_from = core->now;
	core->check_at = core->now + MAX(least, ANSWER_RTTS * rtt);
}

/* When a heartbeat has been missed. */
static uint64_t missed_at(const struct link_core *core)
{
	if (core->used != LINK_UDP || core->check_at != QUIC_NEVER)
		return QUIC_NEVER;
	return link_udp_heard_at(core->udp) + core->keep_alive + MISSED_AFTER;
}

/* When inner packets have been unanswered for too long. */
static uint64_t doubt_at(const struct link_core *core)
{
	if (core->used == LINK_NO_WAY || core->unanswered_at == QUIC_NEVER)
		return QUIC_NEVER;
	return core->unanswered_at + MAX(core->patience, ANSWER_RTTS * link_core_rtt(core));
}

/* Asks the relay for a sign of life. A byte stream that gets none ends by itself. */
static void ask(struct link_core *core, uint64_t least)
{
	if (core->used == LINK_TCP) {
		core->config.ops->probe_tcp(core->config.owner);
		return;
	}
	link_udp_probe(core->udp);
	expect_answer(core, least);
}

static void look_after(struct link_core *core)
{
	static const struct err silent = { ERR_TIMEOUT, 0, "the relay does not answer" };

	if (core->check_at <= core->now) {
		core->check_at = QUIC_NEVER;
		if (core->used == LINK_UDP && link_udp_heard_at(core->udp) <= core->check_from)
			way_fail(&core->ways[LINK_UDP], &silent, 0);
	}
	if (missed_at(core) <= core->now)
		ask(core, MISSED_AFTER);
	if (doubt_at(core) <= core->now) {
		core->unanswered_at = core->now;
		core->patience = MIN(2 * core->patience, PATIENCE_MOST);
		ask(core, ANSWER_LEAST);
	}
}

static uint64_t limit_of(const struct way *way)
{
	switch (way->state) {
	case WAY_IDLE:
		return way->next_at;
	case WAY_DIALLING:
		return way->since + DIAL_FOR;
	case WAY_READY:
	case WAY_HELLO:
		return way->since + HELLO_FOR;
	case WAY_UP:
		break;
	}
	return QUIC_NEVER;
}

static void free_old(struct link_core *core)
{
	if (core->udp_is_over)
		core->udp = link_udp_free(core->udp);
	core->udp_is_over = false;
}

/* What is due now; once no callback of a connection runs. */
static void settle(struct link_core *core)
{
	static const struct err silent = { ERR_TIMEOUT, 0, "no answer from the relay" };

	free_old(core);
	if (core->is_closed || core->is_final)
		return;
	if (core->udp_has_ended && way_is_busy(&core->ways[LINK_UDP]))
		way_fail(&core->ways[LINK_UDP], &core->udp_why, 0);
	core->udp_has_ended = false;
	look_after(core);
	for (size_t i = 0; i < LINK_WAYS; i++) {
		struct way *way = &core->ways[i];

		if (limit_of(way) > core->now)
			continue;
		if (way_is_busy(way))
			way_fail(way, &silent, 0);
		else
			way_dial(way);
	}
	free_old(core);
}

uint64_t link_core_deadline(const struct link_core *core)
{
	uint64_t next = core->udp ? link_udp_deadline(core->udp) : QUIC_NEVER;

	if (core->is_closed || core->is_final)
		return core->is_closed ? QUIC_NEVER : next;
	if (core->udp_is_over || core->udp_has_ended)
		return 0;
	next = MIN(next, core->check_at);
	next = MIN(next, MIN(missed_at(core), doubt_at(core)));
	for (size_t i = 0; i < LINK_WAYS; i++)
		next = MIN(next, limit_of(&core->ways[i]));
	return next;
}

void link_core_expire(struct link_core *core, uint64_t now)
{
	core->now = now;
	if (core->udp && link_udp_deadline(core->udp) <= now)
		link_udp_expire(core->udp, now);
	settle(core);
}

/* The same by a fresh way, since the one that was may not exist any more. */
static void ask_anew(struct link_core *core)
{
	static const struct err changed = { ERR_UNAVAILABLE, 0, "the network changed" };
	struct quic_addr local = path_synthetic(core->config.link);
	struct err err;

	if (core->used == LINK_TCP) {
		way_fail(&core->ways[LINK_TCP], &changed, 0);
		return;
	}
	if (link_udp_migrate(core->udp, &local, core->now, &err) < 0)
		link_udp_probe(core->udp);
	expect_answer(core, ANSWER_LEAST);
}

void link_core_wake(struct link_core *core, bool has_changed, uint64_t now)
{
	struct way *udp = &core->ways[LINK_UDP], *tcp = &core->ways[LINK_TCP];

	core->now = now;
	if (core->is_closed || core->is_final ||
	    (!has_changed && now - core->woken_at < WAKE_APART))
		return;
	core->woken_at = now;
	if (has_changed) {
		udp->failures = tcp->failures = udp->probes = 0;
		core->udp_failed = false;
	}
	/* A handshake whose timers were doubled while nothing got through begins again. */
	if (udp->state == WAY_DIALLING && (has_changed || now - udp->since > ANSWER_LEAST))
		way_let_go(udp);
	if (core->used != LINK_NO_WAY && has_changed)
		ask_anew(core);
	else if (core->used != LINK_NO_WAY)
		ask(core, ANSWER_LEAST);
	if (core->used != LINK_UDP)
		way_hurry(udp, now);
	if (core->used == LINK_NO_WAY)
		way_hurry(tcp, now + (udp->is_allowed ? way_tcp_after(core) : 0));
	settle(core);
}

void link_core_redial(struct link_core *core, uint64_t now)
{
	struct way *udp = &core->ways[LINK_UDP], *tcp = &core->ways[LINK_TCP];

	core->now = now;
	if (core->is_closed || core->is_final)
		return;
	udp->failures = tcp->failures = udp->probes = 0;
	core->udp_failed = false;
	core->used = LINK_NO_WAY;
	core->check_at = QUIC_NEVER;
	way_let_go(udp);
	way_let_go(tcp);
	way_hurry(udp, now);
	way_hurry(tcp, udp->is_allowed ? now + LINK_CORE_TCP_AFTER : now);
	settle(core);
}

/* Packets */

void link_core_read(struct link_core *core, uint8_t ecn, struct span packet, uint64_t now)
{
	core->now = now;
	if (core->udp)
		link_udp_read(core->udp, ecn, packet, now);
}

void link_core_sent(struct link_core *core, uint64_t now)
{
	if (core->unanswered_at == QUIC_NEVER)
		core->unanswered_at = now;
}

void link_core_answered(struct link_core *core)
{
	core->unanswered_at = QUIC_NEVER;
	core->patience = PATIENCE_FIRST;
}

bool link_core_write(struct link_core *core, struct quic_batch *batch, uint64_t now)
{
	core->now = now;
	return core->udp && !core->udp_is_over && link_udp_write(core->udp, batch, now);
}

/* The byte stream */

void link_core_tcp_ready(struct link_core *core, const uint8_t binding[RELAY_BINDING_LEN],
			 uint64_t now)
{
	core->now = now;
	memcpy(core->binding, binding, RELAY_BINDING_LEN);
	way_ready(&core->ways[LINK_TCP]);
}

void link_core_tcp_over(struct link_core *core, const struct err *why, uint64_t now)
{
	core->now = now;
	if (way_is_busy(&core->ways[LINK_TCP]) && !core->is_closed)
		way_fail(&core->ways[LINK_TCP], why, 0);
}

int link_core_tcp_hear(struct link_core *core, uint64_t type, struct span value, uint64_t now)
{
	struct err err;

	core->now = now;
	if (type == RELAY_DATAGRAM)
		return 0;
	if (enrol_hear(&link_heard, &core->ways[LINK_TCP], type, value, &err) == 0)
		return 0;
	link_core_tcp_over(core, &err, now);
	return -1;
}

/* The whole */

struct link_core *link_core_new(const struct link_core_config *config, uint64_t now)
{
	struct link_core *core = new_zero(struct link_core);

	core->config = *config;
	core->now = now;
	core->used = LINK_NO_WAY;
	core->check_at = core->unanswered_at = QUIC_NEVER;
	core->patience = PATIENCE_FIRST;
	core->keep_alive = LINK_KEEP_ALIVE;
	quic_tag_random(&core->tag);
	for (size_t i = 0; i < LINK_WAYS; i++) {
		struct way *way = &core->ways[i];

		*way = (struct way){ .core = core, .which = (enum link_way)i };
		way->is_allowed = i == LINK_UDP ? config->udp : config->tcp;
		way->next_at = way->is_allowed ? now : QUIC_NEVER;
	}
	if (config->udp && config->tcp)
		core->ways[LINK_TCP].next_at = now + LINK_CORE_TCP_AFTER;
	return core;
}

struct link_core *link_core_free(struct link_core *core)
{
	if (!core)
		return NULL;
	link_udp_free(core->udp);
	free(core);
	return NULL;
}

void link_core_close(struct link_core *core)
{
	core->is_closed = true;
	if (core->ways[LINK_TCP].state != WAY_IDLE)
		core->config.ops->drop_tcp(core->config.owner);
	if (core->udp && core->ways[LINK_UDP].state >= WAY_READY)
		link_udp_close(core->udp);
}

const struct quic_tag *link_core_tag(const struct link_core *core)
{
	return &core->tag;
}

enum link_way link_core_way(const struct link_core *core)
{
	return core->used;
}

bool link_core_peer_is_here(const struct link_core *core)
{
	return core->used != LINK_NO_WAY && core->peer_is_here;
}

const struct relay_address *link_core_observed(const struct link_core *core)
{
	return &core->observed;
}

const struct relay_address *link_core_second(const struct link_core *core)
{
	return &core->second;
}

uint64_t link_core_heard_at(const struct link_core *core)
{
	return core->udp ? link_udp_heard_at(core->udp) : 0;
}

uint64_t link_core_rtt(const struct link_core *core)
{
	return core->udp ? link_udp_rtt(core->udp) : 0;
}

const struct err *link_core_error(const struct link_core *core, enum link_way way)
{
	return &core->ways[way].why;
}
