/* SPDX-License-Identifier: MIT */
/* What a relay says, and what follows from it; see link_internal.h. */
#include <string.h>

#include "tunnel/net/link_internal.h"

/* A job that is refused for good looks again: tokens are added to a relay while jobs run. */
#define REFUSED_PAUSE (60 * NSEC_PER_SEC)
#define KEEP_ALIVE_LEAST (5 * NSEC_PER_SEC)

static void end_for_good(struct link_core *core, const struct err *why)
{
	way_let_go(&core->ways[LINK_UDP]);
	way_let_go(&core->ways[LINK_TCP]);
	core->used = LINK_NO_WAY;
	core->is_final = true;
	core->config.ops->down(core->config.owner, why, true);
}

static void on_welcome(void *owner, const struct relay_welcome *welcome)
{
	struct way *way = owner, *other = way_other(way);
	struct link_core *core = way->core;
	bool again = core->was_up;

	if (way->state != WAY_HELLO)
		return;
	way_set_state(way, WAY_UP);
	way->why = (struct err){ 0 };
	core->used = way->which;
	core->was_up = true;
	core->check_at = QUIC_NEVER;
	link_core_answered(core);
	core->second = welcome->second;
	core->keep_alive = LINK_KEEP_ALIVE;
	if (welcome->keep_alive_ms > 0)
		core->keep_alive = MAX(MIN(welcome->keep_alive_ms * NSEC_PER_MSEC, LINK_KEEP_ALIVE),
				       KEEP_ALIVE_LEAST);
	if (way->which == LINK_UDP) {
		core->observed = welcome->observed;
		core->udp_failed = false;
		way_let_go(other);
		link_udp_set_keep_alive(core->udp, core->keep_alive);
	} else if (!way_is_busy(other) && other->is_allowed) {
		other->probes = 0;
		way_probe_later(other);
	}
	core->config.ops->up(core->config.owner, way->which);
	if (again)
		core->config.ops->moved(core->config.owner);
}

static void on_observed(void *owner, const struct relay_address *observed)
{
	struct way *way = owner;
	struct link_core *core = way->core;

	if (way->which != LINK_UDP || relay_address_equal(&core->observed, observed))
		return;
	core->observed = *observed;
	if (core->used == LINK_UDP)
		core->config.ops->moved(core->config.owner);
}

static void on_peer(void *owner, const struct quic_tag *tag, bool is_here)
{
	struct way *way = owner;
	struct link_core *core = way->core;

	if (way->which != core->used)
		return;
	if (core->config.enrol->role == RELAY_CLIENT)
		core->peer_is_here = is_here;
	core->config.ops->peer(core->config.owner, tag, is_here);
}

/* Somebody waits for a client, and can do something about a token that is not known. */
static bool is_for_good(const struct link_core *core, const struct err *why, uint32_t retry_ms)
{
	return core->config.enrol->role == RELAY_CLIENT && !core->was_up &&
	       (retry_ms == 0 || why->kind == ERR_DENIED);
}

static void on_refused(void *owner, const struct err *why, uint32_t retry_ms)
{
	struct way *way = owner;
	struct link_core *core = way->core;

	if (!way_is_busy(way))
		return;
	if (is_for_good(core, why, retry_ms)) {
		end_for_good(core, why);
		return;
	}
	way_fail(way, why, retry_ms ? retry_ms * NSEC_PER_MSEC : REFUSED_PAUSE);
}

/* It goes on forwarding until it ends the stream; then it is time to come back. */
static void on_drain(void *owner, uint32_t retry_ms)
{
	(void)owner;
	(void)retry_ms;
}

const struct enrol_ops link_heard = {
	.welcome = on_welcome,
	.observed = on_observed,
	.peer = on_peer,
	.refused = on_refused,
	.drain = on_drain,
};
