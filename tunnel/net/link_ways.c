/* SPDX-License-Identifier: MIT */
/* How a way to the relay begins, and what follows when it fails; see link_internal.h. */
#include "init/base/buf.h"
#include "tunnel/net/link_internal.h"
#include "tunnel/net/path.h"
#include "tunnel/quic/app.h"
#include "tunnel/wire/varint.h"

#define BACKOFF_FIRST (100 * NSEC_PER_MSEC)
#define BACKOFF_MOST (5 * NSEC_PER_SEC)
/* A way that was up for so long is worth another try at once when it ends. */
#define GOOD_AFTER (5 * NSEC_PER_SEC)
/* While the relay's name is not resolved; the answer wakes the link. */
#define UNKNOWN_PAUSE (5 * NSEC_PER_SEC)

/* While TCP is in use, UDP is tried again after so long. */
static const uint64_t probe_after[] = { 30 * NSEC_PER_SEC, 120 * NSEC_PER_SEC, 300 * NSEC_PER_SEC,
					600 * NSEC_PER_SEC };

void way_probe_later(struct way *way)
{
	size_t at = MIN(way->probes, ARRAY_LEN(probe_after) - 1);

	way->next_at = way->core->now + probe_after[at];
	way->probes++;
}

static uint64_t jitter(uint64_t most)
{
	uint32_t random;

	quic_random((uint8_t *)&random, sizeof(random));
	return most * random / UINT32_MAX;
}

static uint64_t backoff(unsigned int failures)
{
	unsigned int doublings = MIN(failures > 0 ? failures - 1 : 0, 10u);

	return MIN(BACKOFF_FIRST << doublings, BACKOFF_MOST);
}

void way_set_state(struct way *way, enum way_state state)
{
	way->state = state;
	way->since = way->core->now;
}

bool way_is_busy(const struct way *way)
{
	return way->state != WAY_IDLE;
}

struct way *way_other(struct way *way)
{
	return &way->core->ways[way->which == LINK_UDP ? LINK_TCP : LINK_UDP];
}

void way_hurry(struct way *way, uint64_t at)
{
	if (way->is_allowed && way->state == WAY_IDLE)
		way->next_at = MIN(way->next_at, at);
}

void way_let_go(struct way *way)
{
	struct link_core *core = way->core;

	if (way_is_busy(way)) {
		if (way->which == LINK_UDP) {
			core->udp_is_over = true;
			core->udp_has_ended = false;
		} else {
			core->config.ops->drop_tcp(core->config.owner);
		}
	}
	way_set_state(way, WAY_IDLE);
	way->next_at = QUIC_NEVER;
}

/* How long UDP goes alone: not at all where it failed a moment ago. */
uint64_t way_tcp_after(const struct link_core *core)
{
	return core->udp_failed ? 0 : LINK_CORE_TCP_AFTER;
}

/* When to try again what failed, while nothing else is in use. */
static void come_back(struct way *way, bool was_good, uint64_t pause)
{
	struct link_core *core = way->core;
	struct way *other = way_other(way);

	way->failures = was_good ? 0 : way->failures + 1;
	way->next_at = core->now + MAX(pause, was_good ? 0 : jitter(backoff(way->failures)));
	if (way->which == LINK_TCP)
		way_hurry(other, core->now + pause);
	else if (was_good || way->failures == 1)
		way_hurry(other, core->now + MAX(pause, was_good ? way_tcp_after(core) : 0));
}

void way_fail(struct way *way, const struct err *why, uint64_t pause)
{
	struct link_core *core = way->core;
	bool was_used = core->used == way->which, was_dialling = way->state == WAY_DIALLING;
	bool was_good = was_used && core->now - way->since > GOOD_AFTER;
	struct way *other = way_other(way);

	way_let_go(way);
	way->why = *why;
	if (way->which == LINK_UDP && was_dialling)
		core->udp_failed = true;
	if (was_used) {
		core->used = LINK_NO_WAY;
		core->check_at = QUIC_NEVER;
	}
	if (core->used != LINK_NO_WAY) {
		way_probe_later(way);
		return;
	}
	come_back(way, was_good, pause);
	if (!way_is_busy(other) || (was_used && other->state < WAY_HELLO))
		core->config.ops->down(core->config.owner, why, false);
}

void way_say_hello(struct way *way)
{
	struct link_core *core = way->core;
	cleanup(buf_finish) struct buf hello = BUF_INIT(2 * RELAY_VALUE_MAX);
	struct span value;
	uint64_t type, len;
	struct err err;

	way_set_state(way, WAY_HELLO);
	if (way->which == LINK_UDP) {
		if (link_udp_hello(core->udp, &err) < 0)
			way_fail(way, &err, 0);
	} else if (enrol_hello(core->config.enrol, core->binding, &hello, &err) < 0) {
		way_fail(way, &err, 0);
	} else {
		value = buf_span(&hello);
		if (varint_read(&value, &type) && varint_read(&value, &len))
			core->config.ops->say_tcp(core->config.owner, type, value);
	}
}

/* HELLO where nothing else is said or used, or where what is used is worse. */
void way_ready(struct way *way)
{
	struct way *other = way_other(way);

	if (way->state != WAY_DIALLING)
		return;
	way_set_state(way, WAY_READY);
	if (other->state < WAY_HELLO || way->which == LINK_UDP)
		way_say_hello(way);
	else
		way_let_go(way);
}

static void on_udp_ready(void *owner)
{
	way_ready(owner);
}

static void on_udp_over(void *owner, const struct err *why, bool was_reset)
{
	struct way *way = owner;

	/* In the middle of writing; what follows from it comes later. */
	(void)was_reset;
	way->core->udp_has_ended = true;
	way->core->udp_why = *why;
}

static void on_udp_wants_write(void *owner)
{
	const struct way *way = owner;

	way->core->config.ops->wants_write(way->core->config.owner);
}

static const struct link_udp_ops udp_ops = {
	.ready = on_udp_ready,
	.over = on_udp_over,
	.wants_write = on_udp_wants_write,
	.heard = &link_heard,
};

static int dial_udp(struct way *way, const struct quic_addr *remote, struct err *err)
{
	struct link_core *core = way->core;
	struct link_udp_config config = {
		.tls = core->config.tls,
		.enrol = core->config.enrol,
		.tag = core->tag,
		.peer_tag = core->config.relay_tag,
		.now = core->now,
		.ops = &udp_ops,
		.owner = way,
	};

	config.path.remote = *remote;
	config.path.local = path_synthetic(core->config.link);
	core->udp = link_udp_new(&config, err);
	return core->udp ? 0 : -1;
}

void way_dial(struct way *way)
{
	struct link_core *core = way->core;
	struct quic_addr remote;
	struct err err;

	if (way->which == LINK_TCP) {
		way_set_state(way, WAY_DIALLING);
		core->config.ops->dial_tcp(core->config.owner);
		return;
	}
	if (!core->config.ops->remote(core->config.owner, &remote)) {
		way->next_at = core->now + UNKNOWN_PAUSE;
		return;
	}
	way_set_state(way, WAY_DIALLING);
	core->udp = link_udp_free(core->udp);
	core->udp_is_over = core->udp_has_ended = false;
	if (dial_udp(way, &remote, &err) < 0)
		way_fail(way, &err, 0);
	else
		core->config.ops->wants_write(core->config.owner);
}
