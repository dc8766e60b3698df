/* SPDX-License-Identifier: MIT */
/* One UDP socket with several users; see hub.h. */
#include "hub.h"

#include <assert.h>
#include <stdlib.h>

#include "init/base/alloc.h"
#include "tunnel/net/turn.h"

struct hub {
	struct udp udp;
	struct turn turn;
	uv_idle_t idle; /* runs while somebody is awake, so that the loop does not sleep */
	struct hub_user *users;
	/* The user that is in a callback, and the one after it; both follow when users leave. */
	struct hub_user *current, *next;
	struct hub_user *resume; /* who writes first in the next turn; NULL: the first one */
	bool is_awake;
	unsigned int handles;
	void (*closed)(void *owner);
	void *owner;
};

/* Walks over users that may leave while they are visited: NULL at the end. */
static struct hub_user *visit(struct hub *hub, struct hub_user *user)
{
	hub->current = user;
	hub->next = user ? user->next : NULL;
	return user;
}

/* Receiving */

static size_t offer(struct hub *hub, const struct udp_datagrams *d)
{
	size_t taken = 0;

	for (struct hub_user *user = visit(hub, hub->users); user && taken == 0;
	     user = visit(hub, hub->next))
		taken = user->ops->received(user, d);
	return taken;
}

static void on_received(struct udp *udp, void *owner, const struct udp_datagrams *datagrams)
{
	struct udp_datagrams rest = *datagrams;

	(void)udp;
	while (rest.bytes.len > 0) {
		size_t taken = offer(owner, &rest);

		assert(taken <= rest.bytes.len);
		if (taken == 0)
			taken = MIN(rest.segment, rest.bytes.len); /* nobody's */
		span_cut(&rest.bytes, taken);
	}
}

static void on_turn(struct udp *udp, void *owner)
{
	struct hub *hub = owner;

	(void)udp;
	for (struct hub_user *user = visit(hub, hub->users); user; user = visit(hub, hub->next))
		if (user->ops->turn)
			user->ops->turn(user);
}

static void on_writable(struct udp *udp, void *owner)
{
	/* Those who had more are still awake, and are asked at the end of the turn. */
	(void)udp;
	(void)owner;
}

static void on_refused(struct udp *udp, void *owner)
{
	/* Of connected sockets only. */
	(void)udp;
	(void)owner;
}

static const struct udp_ops udp_ops = { on_received, on_turn, on_writable, on_refused };

/* Sending */

/* One batch of the current user, if it has one; false: enough for this turn. */
static bool ask(struct hub *hub, int *batches)
{
	struct hub_user *user = hub->current;

	/* Cleared before: what the writing leads to may want more of it. */
	user->is_awake = false;
	if (!user->ops->write(user, udp_batch(&hub->udp)))
		return !udp_is_blocked(&hub->udp);
	assert(!udp_is_blocked(&hub->udp)); /* by a hub_send() of its own */
	if (hub->current)
		user->is_awake = true;
	++*batches;
	return udp_send(&hub->udp) && *batches < HUB_BATCHES_MAX;
}

/* One batch of each that has one; false: enough for this turn. */
static bool ask_round(struct hub *hub, int *batches)
{
	struct hub_user *first = hub->resume ? hub->resume : hub->users;

	hub->resume = NULL;
	for (struct hub_user *user = visit(hub, first); user; user = visit(hub, hub->next)) {
		if (user->is_awake && !ask(hub, batches)) {
			hub->resume = hub->next;
			return false;
		}
	}
	return true;
}

static void on_idle(uv_idle_t *idle)
{
	(void)idle;
}

/* Keeps the loop awake while somebody is and the socket has room. */
static void set_idle(struct hub *hub)
{
	if (hub->is_awake && !udp_is_blocked(&hub->udp))
		uv_idle_start(&hub->idle, on_idle);
	else
		uv_idle_stop(&hub->idle);
}

static void on_turn_end(void *owner)
{
	struct hub *hub = owner;
	int batches = 0, before;

	if (!hub->is_awake || udp_is_blocked(&hub->udp))
		return;
	do
		before = batches;
	while (ask_round(hub, &batches) && batches > before);
	hub->is_awake = false;
	for (const struct hub_user *user = hub->users; user; user = user->next)
		hub->is_awake = hub->is_awake || user->is_awake;
	set_idle(hub);
}

/* Users */

void hub_join(struct hub *hub, struct hub_user *user)
{
	struct hub_user **at = &hub->users;

	assert(!user->hub && user->ops);
	while (*at && (user->is_last || !(*at)->is_last))
		at = &(*at)->next;
	user->next = *at;
	*at = user;
	user->hub = hub;
	user->is_awake = false;
}

void hub_leave(struct hub_user *user)
{
	struct hub *hub = user->hub;
	struct hub_user **at;

	if (!hub)
		return;
	for (at = &hub->users; *at != user; at = &(*at)->next)
		;
	*at = user->next;
	if (hub->current == user)
		hub->current = NULL;
	if (hub->next == user)
		hub->next = user->next;
	if (hub->resume == user)
		hub->resume = user->next;
	user->hub = NULL;
	user->next = NULL;
}

void hub_wake(struct hub_user *user)
{
	struct hub *hub = user->hub;

	if (!hub)
		return;
	user->is_awake = true;
	if (hub->is_awake)
		return;
	hub->is_awake = true;
	set_idle(hub);
}

bool hub_send(struct hub *hub, const struct quic_path *path, const struct quic_batch *batch)
{
	if (udp_is_blocked(&hub->udp))
		return false;
	(void)udp_send_along(&hub->udp, path, batch);
	return true;
}

const struct quic_addr *hub_local(const struct hub *hub)
{
	return &hub->udp.local;
}

bool hub_is_blocked(const struct hub *hub)
{
	return udp_is_blocked(&hub->udp);
}

/* Opening and closing */

static void on_handle_closed(void *owner)
{
	struct hub *hub = owner;

	if (--hub->handles > 0)
		return;
	if (hub->closed)
		hub->closed(hub->owner);
	free(hub);
}

static void on_udp_closed(struct udp *udp, void *owner)
{
	(void)udp;
	on_handle_closed(owner);
}

static void on_idle_closed(uv_handle_t *handle)
{
	on_handle_closed(handle->data);
}

void hub_close(struct hub *hub, void (*closed)(void *owner), void *owner)
{
	assert(!hub->users);
	hub->closed = closed;
	hub->owner = owner;
	hub->handles = 3;
	udp_close(&hub->udp, on_udp_closed);
	turn_close(&hub->turn, on_handle_closed);
	uv_close((uv_handle_t *)&hub->idle, on_idle_closed);
}

struct hub *hub_new(const struct hub_config *config, struct err *err)
{
	struct hub *hub = new_zero(struct hub);
	struct udp_config udp = { .listen = config->listen, .ops = &udp_ops, .owner = hub };

	if (udp_open(&hub->udp, config->loop, &udp, err) < 0) {
		free(hub);
		return NULL;
	}
	uv_idle_init(config->loop, &hub->idle);
	hub->idle.data = hub;
	turn_open(&hub->turn, config->loop, on_turn_end, hub);
	return hub;
}
