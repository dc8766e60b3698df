/* SPDX-License-Identifier: MIT */
/* The socket, the clock and the addresses of all agents of a hub; see punch.h. */
#include <string.h>

#include "init/base/alloc.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/hosts.h"
#include "tunnel/net/punch_internal.h"
#include "tunnel/quic/conn.h"

/* The kernel tells of a new network in many pieces. */
#define SETTLE_NS (250 * NSEC_PER_MSEC)

static void settle_all(struct punches *p)
{
	for (struct punch *punch = p->first, *next; punch; punch = next) {
		next = punch->next;
		punch_settle(punch);
	}
}

/* The socket and the clock */

static size_t on_received(struct hub_user *user, const struct udp_datagrams *d)
{
	struct punches *p = container_of(user, struct punches, user);
	uint64_t now = clock_now();
	size_t len = 0;

	while (len < d->bytes.len && d->bytes.ptr[len] < 4) {
		struct span packet =
			span_of(d->bytes.ptr + len, MIN(d->segment, d->bytes.len - len));
		struct stun_message message;
		struct punch *punch = p->first;

		len += packet.len;
		if (stun_parse(packet, &message, NULL) < 0)
			continue;
		while (punch && !ice_agent_read(punch->agent, &d->path, &message, now))
			punch = punch->next;
	}
	return len;
}

static void set_timer(struct punches *p)
{
	uint64_t deadline = p->settled_at;

	for (const struct punch *punch = p->first; punch; punch = punch->next)
		deadline = MIN(deadline, ice_agent_deadline(punch->agent));
	timer_set(&p->timer, deadline == QUIC_NEVER ? CLOCK_NEVER : deadline);
}

/* One packet a batch: checks go here and there. */
static bool on_write(struct hub_user *user, struct quic_batch *batch)
{
	struct punches *p = container_of(user, struct punches, user);
	uint64_t now = clock_now();
	struct ice_packet packet;

	for (struct punch *punch = p->first; punch; punch = punch->next) {
		if (!ice_agent_write(punch->agent, &packet, now))
			continue;
		batch->path = packet.path;
		batch->ecn = 0;
		batch->segment = batch->len = packet.len;
		memcpy(batch->bytes, packet.bytes, packet.len);
		return true;
	}
	set_timer(p);
	return false;
}

static void on_turn(struct hub_user *user)
{
	settle_all(container_of(user, struct punches, user));
}

static void gather(struct punch *punch)
{
	const struct punches *p = punch->punches;
	struct ice_candidate candidate = { .kind = ICE_HOST };
	uint64_t now = clock_now();

	/* Hosts with many addresses leave room for what relays see, which reaches farther. */
	for (size_t i = 0; i < MIN(p->hosts.len, ICE_CANDIDATES_MAX - PUNCHES_OBSERVED_MAX); i++) {
		candidate.addr = p->hosts.items[i];
		ice_agent_add_local(punch->agent, &candidate, now);
	}
	candidate.kind = ICE_REFLEXIVE;
	for (size_t i = 0; i < p->seen_count; i++) {
		candidate.addr = p->seen[i];
		ice_agent_add_local(punch->agent, &candidate, now);
	}
}

static void restart_all(struct punches *p)
{
	for (struct punch *punch = p->first; punch; punch = punch->next) {
		ice_agent_restart(punch->agent, clock_now());
		gather(punch);
	}
	settle_all(p);
}

static bool same_list(const struct addr_list *a, const struct addr_list *b)
{
	for (size_t i = 0; i < a->len; i++) {
		if (!addr_list_has(b, &a->items[i]))
			return false;
	}
	return a->len == b->len;
}

/* Whether the host has other addresses than before. */
static bool list_hosts(struct punches *p)
{
	struct addr_list now;

	p->settled_at = QUIC_NEVER;
	if (addr_is_any(hub_local(p->hub)))
		hosts_list(addr_port(hub_local(p->hub)), &now);
	else
		now = (struct addr_list){ .items = { *hub_local(p->hub) }, .len = 1 };
	if (same_list(&now, &p->hosts))
		return false;
	p->hosts = now;
	return true;
}

static void on_timer(struct timer *timer, void *owner)
{
	struct punches *p = owner;
	uint64_t now = clock_now();

	timer_set(timer, CLOCK_NEVER);
	if (now >= p->settled_at && list_hosts(p))
		restart_all(p);
	for (struct punch *punch = p->first; punch; punch = punch->next) {
		if (ice_agent_deadline(punch->agent) <= now)
			ice_agent_expire(punch->agent, now);
	}
	settle_all(p);
	/* When nothing is left to send the timer is set again. */
	hub_wake(&p->user);
}

static void on_route(void *owner)
{
	struct punches *p = owner;

	/* Whoever comes later looks for itself. */
	if (!p->first || p->settled_at != QUIC_NEVER)
		return;
	p->settled_at = clock_now() + SETTLE_NS;
	set_timer(p);
}

void punches_observed(struct punches *p, const struct quic_addr *seen, size_t count)
{
	count = MIN(count, PUNCHES_OBSERVED_MAX);
	if (count == p->seen_count) {
		size_t same = 0;

		while (same < count && addr_equal(&seen[same], &p->seen[same]))
			same++;
		if (same == count)
			return;
	}
	memcpy(p->seen, seen, count * sizeof(*seen));
	p->seen_count = count;
	restart_all(p);
}

void punches_add(struct punches *p, struct punch *punch)
{
	if (!p->first)
		(void)list_hosts(p);
	punch->next = p->first;
	p->first = punch;
	gather(punch);
}

void punches_remove(struct punches *p, struct punch *punch)
{
	struct punch **at = &p->first;

	while (*at != punch)
		at = &(*at)->next;
	*at = punch->next;
}

/* All of a hub */

static void on_handle_closed(void *owner)
{
	struct punches *p = owner;

	if (--p->handles > 0)
		return;
	if (p->closed)
		p->closed(p->owner);
	free(p);
}

void punches_close(struct punches *p, void (*closed)(void *owner), void *owner)
{
	if (!p)
		return;
	/* Connections that are still saying goodbye have no use for theirs any more. */
	for (struct punch *punch = p->first; punch; punch = punch->next)
		punch->punches = NULL;
	p->first = NULL;
	hub_leave(&p->user);
	p->closed = closed;
	p->owner = owner;
	p->handles = 2;
	timer_close(&p->timer, on_handle_closed);
	route_close(&p->route, on_handle_closed);
}

struct punches *punches_new(uv_loop_t *loop, struct hub *hub, struct err *err)
{
	static const struct hub_user_ops ops = { on_received, on_write, on_turn };
	struct punches *p = new_zero(struct punches);

	if (timer_open(&p->timer, loop, on_timer, p, err) < 0) {
		free(p);
		return NULL;
	}
	p->loop = loop;
	p->hub = hub;
	p->settled_at = QUIC_NEVER;
	route_open(&p->route, loop, on_route, p);
	p->user.ops = &ops;
	hub_join(hub, &p->user);
	return p;
}
