/* SPDX-License-Identifier: MIT */
/* Dialling a job and looking after the connection; see client.h. */
#include "client.h"

#include <string.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/log.h"
#include "tunnel/net/attempt.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/endpoint.h"
#include "tunnel/net/route.h"

#define STAGGER_MS 50
#define RETRY_MS 100
#define RETRY_FOR (5 * NSEC_PER_SEC)
#define TICK_MS 1000
#define HEARTBEAT_ACTIVE (5 * NSEC_PER_SEC)
#define HEARTBEAT_IDLE (25 * NSEC_PER_SEC)
/* In use: something else than heartbeats passed within this time. */
#define ACTIVE_FOR (60 * NSEC_PER_SEC)
#define ACTIVE_BYTES 1024
/*
 * How long "nobody listens there" has to last before we believe it: a tunnel is restarted at once
 * at first.
 */
#define REFUSED_FOR (10 * NSEC_PER_SEC)

struct client {
	struct client_config config;
	uv_timer_t timer; /* the next attempt, the next round, or the next look */
	struct endpoint endpoint;
	struct addr_list addresses; /* in the order they are tried */
	size_t next;		    /* of addresses */
	struct attempt *attempts[ADDR_LIST_MAX];
	bool refused[ADDR_LIST_MAX]; /* nobody listened there: worth another try */
	struct attempt *winner;
	size_t running;
	uint64_t started;
	struct err worst; /* the most telling failure of this round */
	bool closing, reported;
	/* Looking after the winner */
	struct route route;
	bool route_changed; /* since the last tick */
	struct clock_wake wake;
	uint64_t active_at, bytes, keep_alive, moved_at, patience;
};

static void next_round(struct client *c);

static void report(struct client *c, const struct err *why)
{
	struct err err = *why;

	uv_timer_stop(&c->timer);
	c->reported = true;
	err_wrap(&err, "%s", c->config.name);
	c->config.ops->closed(c->config.owner, &err);
}

/* Ordering */

static bool is_this_host(const struct endpoint *endpoint, const char *host,
			 const struct addr_list *own)
{
	if (strcmp(endpoint->host, host) == 0)
		return true;
	for (size_t i = 0; i < endpoint->addresses.len; i++) {
		struct quic_addr addr = endpoint->addresses.items[i];

		addr_set_port(&addr, 0);
		if (!addr_is_loopback(&addr) && addr_list_has(own, &addr))
			return true;
	}
	return false;
}

static void add_if(const struct addr_list *list, bool loopback, struct addr_list *ret)
{
	for (size_t i = 0; i < list->len; i++) {
		if (addr_is_loopback(&list->items[i]) == loopback)
			(void)addr_list_add(ret, &list->items[i]);
	}
}

void client_order(const struct endpoint *endpoint, const char *host, const struct addr_list *own,
		  struct addr_list *ret)
{
	bool here = is_this_host(endpoint, host, own);

	ret->len = 0;
	add_if(&endpoint->addresses, here, ret);
	add_if(&endpoint->addresses, !here, ret);
}

static void order(struct client *c)
{
	char host[ENDPOINT_HOST_MAX] = "";
	struct addr_list own;

	gethostname(host, sizeof(host) - 1);
	addr_list_local(AF_UNSPEC, 0, &own);
	client_order(&c->endpoint, host, &own, &c->addresses);
}

/* Looking after */

static void move(struct client *c, const char *why)
{
	struct err err;

	log_info("%s: %s: moving to a fresh path", c->config.name, why);
	if (attempt_migrate(c->winner, &err) < 0)
		log_info("%s: cannot move: %s", c->config.name, err.text);
	c->moved_at = clock_now();
}

static void set_heartbeat(struct client *c, const struct quic_stats *stats, uint64_t now)
{
	uint64_t bytes = stats->bytes_sent + stats->bytes_received, want;

	if (bytes > c->bytes + ACTIVE_BYTES)
		c->active_at = now;
	c->bytes = bytes;
	want = now - c->active_at < ACTIVE_FOR ? HEARTBEAT_ACTIVE : HEARTBEAT_IDLE;
	if (want != c->keep_alive)
		quic_conn_set_keep_alive(h3_conn_quic(attempt_h3(c->winner)), want);
	c->keep_alive = want;
}

/* Whether another tunnel, or none, has taken the place of the one we talked to. */
static bool is_replaced(const struct client *c)
{
	struct endpoint now;
	struct err err;

	if (endpoint_read(c->config.endpoint, &now, &err) < 0)
		return err.kind == ERR_NOT_FOUND;
	return now.started > c->endpoint.started || now.started < c->endpoint.started;
}

/* A reason to give up, or false. */
static bool is_gone(const struct client *c, uint64_t now, struct err *ret)
{
	uint64_t since = attempt_refused_since(c->winner);

	if (since == CLOCK_NEVER || (now - since < REFUSED_FOR && !is_replaced(c)))
		return false;
	err_set(ret, ERR_UNAVAILABLE,
		"its tunnel is gone: the job has ended, or the tunnel was restarted (connect again)");
	return true;
}

/*
 * The new address often follows the news of the old one's end, so that the next tick looks once
 * more.
 */
static void on_route_changed(void *owner)
{
	struct client *c = owner;

	c->route_changed = true;
	if (!c->closing && !c->reported && attempt_is_misplaced(c->winner))
		move(c, "the address changed");
}

static bool is_misplaced(struct client *c)
{
	bool look = c->route_changed;

	c->route_changed = false;
	return look && attempt_is_misplaced(c->winner);
}

static void on_tick(uv_timer_t *timer)
{
	struct client *c = timer->data;
	uint64_t now = clock_now(), silent;
	struct quic_stats stats;
	struct err gone;

	quic_conn_stats(h3_conn_quic(attempt_h3(c->winner)), &stats);
	set_heartbeat(c, &stats, now);
	silent = now - MAX(stats.received_at, c->moved_at);
	if (stats.received_at > c->moved_at)
		c->patience = 2 * c->keep_alive + 2 * NSEC_PER_SEC;
	if (clock_wake_check(&c->wake, clock_slept())) {
		move(c, "the machine slept");
	} else if (is_misplaced(c)) {
		move(c, "the address changed");
	} else if (is_gone(c, now, &gone)) {
		report(c, &gone);
	} else if (silent > c->patience) {
		/*
		 * Each move costs a connection id, so that a long silence is met less and less
		 * often.
		 */
		c->patience *= 2;
		move(c, "no answer");
	}
}

static void look_after(struct client *c)
{
	uint64_t now = clock_now();

	clock_wake_init(&c->wake, clock_slept());
	c->active_at = now;
	c->moved_at = now;
	c->patience = 2 * HEARTBEAT_ACTIVE + 2 * NSEC_PER_SEC;
	uv_timer_start(&c->timer, on_tick, TICK_MS, TICK_MS);
	route_open(&c->route, c->config.loop, on_route_changed, c);
}

/* Racing */

static void close_losers(struct client *c)
{
	for (size_t i = 0; i < c->addresses.len; i++) {
		if (c->attempts[i] != c->winner)
			attempt_close(c->attempts[i]);
		c->attempts[i] = NULL;
	}
	c->running = 0;
}

static void on_ready(struct attempt *attempt, void *owner)
{
	struct client *c = owner;
	char text[ADDR_TEXT_MAX];

	if (c->winner)
		return;
	c->winner = attempt;
	close_losers(c);
	addr_format(attempt_remote(attempt), text);
	log_debug("%s: connected to %s", c->config.name, text);
	look_after(c);
	c->config.ops->connected(c->config.owner, attempt_h3(attempt));
}

/* "10.0.0.1:4000, 127.0.0.1:4000" */
static void list_addresses(const struct client *c, struct buf *b)
{
	for (size_t i = 0; i < c->addresses.len; i++) {
		char text[ADDR_TEXT_MAX];

		addr_format(&c->addresses.items[i], text);
		if (!buf_printf(b, "%s%s", i ? ", " : "", text))
			return;
	}
}

static void fail_round(struct client *c)
{
	cleanup(buf_finish) struct buf list = BUF_INIT(ERR_TEXT_MAX / 2);
	struct err why;

	if (c->worst.kind == ERR_DENIED || c->worst.kind == ERR_PROTOCOL) {
		report(c, &c->worst);
		return;
	}
	list_addresses(c, &list);
	err_set(&why, c->worst.kind,
		c->worst.kind == ERR_UNAVAILABLE
			? "nobody listens at %s: has the job ended, or its tunnel died?"
			: "no answer from %s: is the job's network reachable from here?",
		buf_str(&list));
	report(c, &why);
}

/*
 * Silence says more than "nobody there", which another host may say; a key that does not fit says
 * most.
 */
static int weight(const struct err *why)
{
	switch (why->kind) {
	case ERR_DENIED:
		return 4;
	case ERR_PROTOCOL:
		return 3;
	case ERR_TIMEOUT:
		return 2;
	case ERR_NONE:
		return 0;
	case ERR_INVALID:
	case ERR_NOT_FOUND:
	case ERR_EXISTS:
	case ERR_LIMIT:
	case ERR_UNSUPPORTED:
	case ERR_UNAVAILABLE:
	case ERR_SYSTEM:
	case ERR_INTERNAL:
		break;
	}
	return 1;
}

static void note_failure(struct client *c, size_t i, const struct err *why)
{
	char text[ADDR_TEXT_MAX];
	struct err noted = *why;

	addr_format(&c->addresses.items[i], text);
	log_debug("%s: %s: %s", c->config.name, text, why->text);
	if (noted.kind != ERR_DENIED && noted.kind != ERR_PROTOCOL && noted.kind != ERR_TIMEOUT)
		noted.kind = ERR_UNAVAILABLE;
	c->refused[i] = noted.kind == ERR_UNAVAILABLE;
	if (weight(&noted) > weight(&c->worst))
		c->worst = noted;
}

static void start_next(struct client *c);

static void on_over(struct attempt *attempt, void *owner, const struct err *why)
{
	struct client *c = owner;

	if (attempt == c->winner) {
		struct err err = *why;

		if (err.kind == ERR_NONE)
			err_set(&err, ERR_UNAVAILABLE, "the job has ended");
		report(c, &err);
		return;
	}
	for (size_t i = 0; i < c->addresses.len; i++) {
		if (c->attempts[i] != attempt)
			continue;
		c->attempts[i] = NULL;
		c->running--;
		note_failure(c, i, why);
	}
	attempt_close(attempt);
	start_next(c);
}

static const struct attempt_ops attempt_ops = { on_ready, on_over };

static void on_stagger(uv_timer_t *timer)
{
	start_next(timer->data);
}

/* False when this address failed at once. */
static bool start_attempt(struct client *c, size_t i)
{
	struct attempt_config config = {
		.loop = c->config.loop,
		.tls = c->config.tls,
		.settings = QUIC_SETTINGS_DEFAULT,
		.remote = c->addresses.items[i],
		.ops = &attempt_ops,
		.owner = c,
	};
	struct err err = { 0 };

	config.settings.keep_alive_ns = HEARTBEAT_ACTIVE;
	c->keep_alive = HEARTBEAT_ACTIVE;
	c->attempts[i] = attempt_new(&config, &err);
	if (c->attempts[i]) {
		c->running++;
		return true;
	}
	note_failure(c, i, &err);
	return false;
}

/* A tunnel that is being restarted listens again in a moment, perhaps elsewhere. */
static void on_retry(uv_timer_t *timer)
{
	struct client *c = timer->data;

	if (is_replaced(c)) {
		close_losers(c);
		next_round(c);
		return;
	}
	for (size_t i = 0; i < c->addresses.len; i++) {
		bool again = c->refused[i] && !c->attempts[i];

		c->refused[i] = false;
		if (again)
			(void)start_attempt(c, i);
	}
	start_next(c);
}

static bool may_retry(const struct client *c)
{
	if (clock_now() - c->started >= RETRY_FOR)
		return false;
	for (size_t i = 0; i < c->addresses.len; i++) {
		if (c->refused[i])
			return true;
	}
	return false;
}

static void start_next(struct client *c)
{
	while (c->next < c->addresses.len) {
		if (!start_attempt(c, c->next++))
			continue;
		uv_timer_start(&c->timer, on_stagger, STAGGER_MS, 0);
		return;
	}
	if (may_retry(c))
		uv_timer_start(&c->timer, on_retry, RETRY_MS, 0);
	else if (c->running == 0)
		fail_round(c);
}

static void on_round(uv_timer_t *timer)
{
	struct client *c = timer->data;
	struct err err = { 0 };

	c->next = 0;
	c->running = 0;
	c->worst = (struct err){ 0 };
	c->addresses.len = 0;
	memset(c->refused, 0, sizeof(c->refused));
	if (endpoint_read(c->config.endpoint, &c->endpoint, &err) < 0) {
		if (clock_now() - c->started < RETRY_FOR && err.kind == ERR_NOT_FOUND)
			next_round(c);
		else if (err.kind == ERR_NOT_FOUND)
			report(c, &(struct err){ ERR_UNAVAILABLE, 0,
						 "its tunnel has not started, or has ended" });
		else
			report(c, &err);
		return;
	}
	order(c);
	start_next(c);
}

static void next_round(struct client *c)
{
	uv_timer_start(&c->timer, on_round, RETRY_MS, 0);
}

struct client *client_new(const struct client_config *config)
{
	struct client *c = new_zero(struct client);

	c->config = *config;
	c->started = clock_now();
	uv_timer_init(config->loop, &c->timer);
	c->timer.data = c;
	uv_timer_start(&c->timer, on_round, 0, 0);
	return c;
}

static void on_route_closed(void *owner)
{
	free(owner);
}

static void on_closed(uv_handle_t *handle)
{
	struct client *c = handle->data;

	c->route.owner = c;
	route_close(&c->route, on_route_closed);
}

void client_close(struct client *c)
{
	if (!c || c->closing)
		return;
	c->closing = true;
	close_losers(c);
	attempt_close(c->winner);
	uv_close((uv_handle_t *)&c->timer, on_closed);
}
