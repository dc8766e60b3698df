/* SPDX-License-Identifier: MIT */
/* Dialling a job and looking after the connection; see client.h. */
#include "client.h"

#include <string.h>

#include "init/base/alloc.h"
#include "init/base/log.h"
#include "tunnel/net/attempt.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/endpoint.h"
#include "tunnel/net/failure.h"
#include "tunnel/net/keeper.h"
#include "tunnel/net/order.h"
#include "tunnel/net/ticket.h"

#define STAGGER_MS 50
#define RETRY_MS 100
#define RETRY_FOR (5 * NSEC_PER_SEC)
/*
 * An early attempt has asked for things already: it gets some round trips before others start, for
 * what it asked cannot be taken back.
 */
#define EARLY_STAGGER_MIN_MS 100
#define EARLY_STAGGER_MAX_MS 1000
/*
 * Another connection takes its place when it stayed silent for so many round trips: two packets
 * that were lost were sent again by then. Sooner, and the job would be asked once more for what it
 * does already.
 */
#define EARLY_SILENT_RTTS 24
#define EARLY_SILENT_MIN_MS 250
#define EARLY_SILENT_MAX_MS 2000
/* Where a packet took less than this, being busy counts for more than the way. */
#define EARLY_RTT_MIN_US 10000
/* How long a connection that was short waits for the ticket of the next one. */
#define LINGER_MS 1000
#define LINGER_YOUNG (5 * NSEC_PER_SEC)

struct client {
	struct client_config config;
	uv_timer_t timer;    /* the next attempt, the next round, or the next look */
	uv_timer_t patience; /* with an early attempt that stays silent */
	struct endpoint endpoint;
	struct addr_list addresses; /* in the order they are tried */
	size_t next;		    /* of addresses */
	struct attempt *attempts[ADDR_LIST_MAX];
	bool refused[ADDR_LIST_MAX]; /* nobody listened there: worth another try */
	struct attempt *winner;
	struct attempt
		*early;	      /* has requests already; may be in attempts, or over, or the winner */
	uint64_t early_until; /* it may be silent */
	uint64_t early_wait_ms;
	size_t running;
	uint64_t started;
	struct err worst; /* the most telling failure of this round */
	bool closing, reported;
	bool early_over;
	bool has_ticket; /* of this connection, for the next one */
	struct keeper keeper;
	unsigned int handles;
};

static void next_round(struct client *c);

static void report(struct client *c, const struct err *why)
{
	struct err err = *why;

	uv_timer_stop(&c->timer);
	if (c->reported)
		return;
	c->reported = true;
	err_wrap(&err, "%s", c->config.name);
	c->config.ops->closed(c->config.owner, &err);
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

static void on_gone(void *owner, const struct err *why)
{
	report(owner, why);
}

static void on_silent(void *owner, uint64_t since_ns)
{
	struct client *c = owner;

	if (!c->closing && !c->reported && c->config.ops->silent)
		c->config.ops->silent(c->config.owner, since_ns);
}

static void look_after(struct client *c)
{
	static const struct keeper_ops ops = { .gone = on_gone, .silent = on_silent };
	const struct keeper_config config = {
		.loop = c->config.loop,
		.name = c->config.name,
		.endpoint = c->config.endpoint,
		.started = c->endpoint.started,
		.attempt = c->winner,
		.silence_ns = c->config.silence_ns,
		.ops = &ops,
		.owner = c,
	};

	keeper_open(&c->keeper, &config);
}

static void win(struct client *c, struct attempt *attempt)
{
	bool was_told = c->early != NULL;
	char text[ADDR_TEXT_MAX];

	c->winner = attempt;
	uv_timer_stop(&c->timer);
	uv_timer_stop(&c->patience);
	close_losers(c);
	addr_format(attempt_remote(attempt), text);
	log_debug("%s: connected to %s", c->config.name, text);
	look_after(c);
	if (c->early && c->early != attempt) {
		h3_conn_adopt(attempt_h3(attempt), attempt_h3(c->early));
		attempt_close(c->early);
		c->config.ops->moved(c->config.owner, attempt_h3(attempt));
	}
	c->early = NULL;
	if (!was_told)
		c->config.ops->connected(c->config.owner, attempt_h3(attempt));
	if (c->config.ops->proven)
		c->config.ops->proven(c->config.owner);
}

static struct attempt *find_ready(const struct client *c)
{
	for (size_t i = 0; i < c->addresses.len; i++)
		if (c->attempts[i] && attempt_is_ready(c->attempts[i]))
			return c->attempts[i];
	return NULL;
}

/* It keeps what was asked for; whoever is ready takes that over. */
static bool win_instead(struct client *c)
{
	struct attempt *ready = find_ready(c);

	if (ready)
		win(c, ready);
	return ready != NULL;
}

/* All that has arrived by now was read meanwhile, even if this process was starved. */
static void on_patience_over(uv_timer_t *timer)
{
	struct client *c = timer->data;

	if (!c->winner && c->early && !attempt_is_heard(c->early))
		(void)win_instead(c);
}

static void on_patience(uv_timer_t *timer)
{
	uv_timer_start(timer, on_patience_over, 1, 0);
}

/*
 * The early attempt goes first as long as it may: it has been heard, perhaps. One that is ready
 * waits for it, and longer than the answers to both may be apart.
 */
static void on_ready(struct attempt *attempt, void *owner)
{
	struct client *c = owner;
	uint64_t now = clock_now(), wait_ms = c->early_wait_ms;

	if (c->winner || c->closing)
		return;
	if (!c->early || attempt == c->early || c->early_over) {
		win(c, attempt);
		return;
	}
	if (uv_is_active((uv_handle_t *)&c->patience))
		return;
	if (c->early_until > now)
		wait_ms = MAX(wait_ms, (c->early_until - now) / NSEC_PER_MSEC);
	uv_timer_start(&c->patience, on_patience, wait_ms, 0);
}

static void fail_round(struct client *c)
{
	struct err why;

	failure_tell(&c->worst, &c->addresses, &why);
	report(c, &why);
}

static void note_failure(struct client *c, size_t i, const struct err *why)
{
	char text[ADDR_TEXT_MAX];

	addr_format(&c->addresses.items[i], text);
	log_debug("%s: %s: %s", c->config.name, text, why->text);
	c->refused[i] = failure_note(&c->worst, why);
}

static void start_next(struct client *c);
static void on_lingered(uv_timer_t *timer);

static void on_over(struct attempt *attempt, void *owner, const struct err *why)
{
	struct client *c = owner;

	if (c->closing) {
		/* It waited for a ticket. */
		uv_timer_start(&c->timer, on_lingered, 0, 0);
		return;
	}
	if (attempt == c->winner) {
		struct err err = *why;

		if (err.kind == ERR_NONE)
			err_set(&err, ERR_UNAVAILABLE, "the job has ended");
		report(c, &err);
		return;
	}
	if (attempt == c->early) {
		log_debug("%s: early: %s", c->config.name, why->text);
		/* Without it, everybody starts. */
		c->early_over = true;
		if (!win_instead(c))
			start_next(c);
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

static void on_ticket(struct attempt *attempt, void *owner, const struct quic_ticket *got)
{
	struct client *c = owner;
	cleanup(ticket_finish) struct ticket ticket;
	struct quic_stats stats;

	if (attempt != c->winner || !c->config.tickets)
		return;
	ticket_init(&ticket);
	quic_conn_stats(h3_conn_quic(attempt_h3(attempt)), &stats);
	ticket.started = c->endpoint.started;
	ticket.expires = (uint64_t)clock_wall() + TLS_TICKET_LIFETIME_S;
	ticket.remote = *attempt_remote(attempt);
	ticket.rtt_us = stats.rtt_ns / 1000;
	ticket.key = *c->config.key;
	if (!buf_append_span(&ticket.session, got->session) ||
	    !buf_append_span(&ticket.params, got->params))
		return;
	ticket_keep(c->config.tickets, c->config.rank, &ticket);
	c->has_ticket = true;
	/* Not now: this is a callback of the connection that would be closed. */
	if (c->closing)
		uv_timer_start(&c->timer, on_lingered, 0, 0);
}

static const struct attempt_ops attempt_ops = { on_ready, on_over, on_ticket };

static void on_stagger(uv_timer_t *timer)
{
	start_next(timer->data);
}

static struct attempt *new_attempt(struct client *c, const struct quic_addr *remote,
				   const struct quic_ticket *ticket, uint64_t rtt_us,
				   struct err *err)
{
	struct attempt_config config = {
		.loop = c->config.loop,
		.tls = c->config.tls,
		.ticket = ticket,
		.settings = QUIC_SETTINGS_DEFAULT,
		.remote = *remote,
		.ops = &attempt_ops,
		.owner = c,
	};

	config.settings.keep_alive_ns = KEEPER_HEARTBEAT_ACTIVE;
	config.settings.initial_rtt_ns = rtt_us * (NSEC_PER_MSEC / 1000);
	return attempt_new(&config, err);
}

static uint64_t between(uint64_t value, uint64_t least, uint64_t most)
{
	return MIN(MAX(value, least), most);
}

/*
 * With a ticket: asks the address that gave it, and hands over the connection before anything was
 * heard. False when there is none.
 */
static bool start_early(struct client *c)
{
	cleanup(ticket_finish) struct ticket ticket;
	struct quic_ticket use;
	struct err err;
	uint64_t rtt_us;

	ticket_init(&ticket);
	if (c->early || !c->config.tickets || !c->config.ops->moved ||
	    !ticket_take(c->config.tickets, c->config.rank, c->endpoint.started, c->config.key,
			 &ticket) ||
	    !addr_list_has(&c->addresses, &ticket.remote))
		return false;
	use.session = buf_span(&ticket.session);
	use.params = buf_span(&ticket.params);
	rtt_us = MAX(ticket.rtt_us, (uint64_t)EARLY_RTT_MIN_US);
	c->early = new_attempt(c, &ticket.remote, &use, rtt_us, &err);
	if (!c->early)
		return false;
	if (!quic_conn_is_early(h3_conn_quic(attempt_h3(c->early)))) {
		attempt_close(c->early);
		c->early = NULL;
		return false;
	}
	c->early_wait_ms = between(3 * rtt_us / 1000, EARLY_STAGGER_MIN_MS, EARLY_STAGGER_MAX_MS);
	c->early_until =
		clock_now() + NSEC_PER_MSEC * between(EARLY_SILENT_RTTS * rtt_us / 1000,
						      EARLY_SILENT_MIN_MS, EARLY_SILENT_MAX_MS);
	uv_timer_start(&c->timer, on_stagger, c->early_wait_ms, 0);
	c->config.ops->connected(c->config.owner, attempt_h3(c->early));
	return true;
}

/* False when this address failed at once. */
static bool start_attempt(struct client *c, size_t i)
{
	struct err err = { 0 };

	c->attempts[i] = new_attempt(c, &c->addresses.items[i], NULL, 0, &err);
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

	if (keeper_is_replaced(c->config.endpoint, c->endpoint.started)) {
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
	else if (c->running == 0 && (!c->early || c->early_over))
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
	order_here(&c->endpoint, &c->addresses);
	if (!start_early(c))
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
	uv_timer_init(config->loop, &c->patience);
	c->patience.data = c;
	uv_timer_start(&c->timer, on_round, 0, 0);
	return c;
}

static void on_handle_closed(void *owner)
{
	struct client *c = owner;

	if (--c->handles == 0)
		free(c);
}

static void on_timer_closed(uv_handle_t *handle)
{
	on_handle_closed(handle->data);
}

static void end(struct client *c)
{
	attempt_close(c->winner);
	uv_close((uv_handle_t *)&c->timer, on_timer_closed);
	uv_close((uv_handle_t *)&c->patience, on_timer_closed);
}

static void on_lingered(uv_timer_t *timer)
{
	end(timer->data);
}

/* A short command is often over before the ticket for the next one has come. */
static bool may_linger(const struct client *c)
{
	return c->config.lingers && c->config.tickets && !c->has_ticket && c->winner &&
	       attempt_is_ready(c->winner) && clock_now() - c->started < LINGER_YOUNG;
}

void client_close(struct client *c)
{
	if (!c || c->closing)
		return;
	c->closing = true;
	c->handles = 3;
	close_losers(c);
	if (c->early != c->winner)
		attempt_close(c->early);
	keeper_close(&c->keeper, on_handle_closed, c);
	uv_timer_stop(&c->timer);
	uv_timer_stop(&c->patience);
	if (!may_linger(c)) {
		end(c);
		return;
	}
	h3_conn_abandon(attempt_h3(c->winner));
	uv_timer_start(&c->timer, on_lingered, LINGER_MS, 0);
}
