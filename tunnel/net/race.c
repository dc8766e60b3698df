/* SPDX-License-Identifier: MIT */
/* Dialling a job; see race.h. */
#include "race.h"

#include <string.h>

#include "init/base/log.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/failure.h"
#include "tunnel/net/keeper.h"
#include "tunnel/net/order.h"
#include "tunnel/net/race_ways.h"
#include "tunnel/net/ticket.h"

#define STAGGER_MS 50
#define RETRY_MS 100
#define RETRY_FOR (5 * NSEC_PER_SEC)
/* How long a job may take to answer where it was last, before somebody is asked where it is. */
#define REFRESH_MS 1000
/* And so much longer while a login node is on its way: ssh has a handshake of its own first. */
#define REFRESH_LOGIN_MS 4000
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

static void next_round(struct race *r);

static void close_losers(struct race *r, const struct attempt *winner)
{
	for (size_t i = 0; i < r->addresses.len; i++) {
		if (r->attempts[i] != winner)
			attempt_close(r->attempts[i]);
		r->attempts[i] = NULL;
	}
	r->running = 0;
}

static void fail(struct race *r, const struct err *why)
{
	uv_timer_stop(&r->timer);
	if (r->done)
		return;
	r->done = true;
	r->config.ops->failed(r->config.owner, why);
}

static void win(struct race *r, struct attempt *attempt)
{
	struct attempt *early = r->early == attempt ? NULL : r->early;

	r->done = true;
	r->early = NULL;
	uv_timer_stop(&r->timer);
	uv_timer_stop(&r->patience);
	close_losers(r, attempt);
	race_ways_close(r, attempt);
	r->config.ops->won(r->config.owner, attempt, early);
}

static struct attempt *find_ready(const struct race *r)
{
	for (size_t i = 0; i < r->addresses.len; i++)
		if (r->attempts[i] && attempt_is_ready(r->attempts[i]))
			return r->attempts[i];
	return race_ways_ready(r);
}

/* It keeps what was asked for; whoever is ready takes that over. */
static bool win_instead(struct race *r)
{
	struct attempt *ready = find_ready(r);

	if (ready)
		win(r, ready);
	return ready != NULL;
}

/* All that has arrived by now was read meanwhile, even if this process was starved. */
static void on_patience_over(uv_timer_t *timer)
{
	struct race *r = timer->data;

	if (!r->done && r->early && !attempt_is_heard(r->early))
		(void)win_instead(r);
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
	struct race *r = owner;
	uint64_t now = clock_now(), wait_ms = r->early_wait_ms;

	if (r->done)
		return;
	if (!r->early || attempt == r->early || r->early_over) {
		win(r, attempt);
		return;
	}
	if (uv_is_active((uv_handle_t *)&r->patience))
		return;
	if (r->early_until > now)
		wait_ms = MAX(wait_ms, (r->early_until - now) / NSEC_PER_MSEC);
	uv_timer_start(&r->patience, on_patience, wait_ms, 0);
}

static void fail_round(struct race *r)
{
	struct err why;

	if (r->addresses.len > 0)
		failure_tell(&r->worst, &r->addresses, &why);
	else if (r->is_missing)
		err_set(&why, ERR_UNAVAILABLE, "its tunnel has not started, or has ended");
	else
		err_set(&why, ERR_UNAVAILABLE, "there is no way to it that may be used");
	race_ways_tell(r, &why);
	fail(r, &why);
}

static void note_failure(struct race *r, size_t i, const struct err *why)
{
	char text[ADDR_TEXT_MAX];

	addr_format(&r->addresses.items[i], text);
	log_debug("%s: %s: %s", r->config.name, text, why->text);
	r->refused[i] = failure_note(&r->worst, why);
}

static void start_next(struct race *r);
static void on_over(struct attempt *attempt, void *owner, const struct err *why)
{
	struct race *r = owner;

	if (attempt == r->early) {
		log_debug("%s: early: %s", r->config.name, why->text);
		/* Without it, everybody starts. */
		r->early_over = true;
		if (!win_instead(r))
			start_next(r);
		return;
	}
	if (race_ways_over(r, attempt, why))
		return;
	for (size_t i = 0; i < r->addresses.len; i++) {
		if (r->attempts[i] != attempt)
			continue;
		r->attempts[i] = NULL;
		r->running--;
		note_failure(r, i, why);
	}
	attempt_close(attempt);
	start_next(r);
}

static const struct attempt_ops attempt_ops = { .ready = on_ready, .over = on_over };

static void on_stagger(uv_timer_t *timer)
{
	start_next(timer->data);
}

struct attempt *race_attempt(struct race *r, struct path *path, const struct quic_ticket *ticket,
			     uint64_t rtt_us, struct err *err)
{
	struct attempt_config config = {
		.loop = r->config.loop,
		.tls = r->config.tls,
		.ticket = ticket,
		.settings = QUIC_SETTINGS_DEFAULT,
		.tag = r->config.tag,
		.peer_tag = r->config.peer_tag,
		.path = path,
		.ops = &attempt_ops,
		.owner = r,
	};

	if (!path)
		return NULL;
	config.settings.keep_alive_ns = KEEPER_HEARTBEAT_ACTIVE;
	config.settings.initial_rtt_ns = rtt_us * (NSEC_PER_MSEC / 1000);
	return attempt_new(&config, err);
}

static struct attempt *new_attempt(struct race *r, const struct quic_addr *remote,
				   const struct quic_ticket *ticket, uint64_t rtt_us,
				   struct err *err)
{
	return race_attempt(r, path_udp_new(r->config.loop, remote, err), ticket, rtt_us, err);
}

static uint64_t between(uint64_t value, uint64_t least, uint64_t most)
{
	return MIN(MAX(value, least), most);
}

/*
 * With a ticket: asks the address that gave it, and hands over the connection before anything was
 * heard. False when there is none.
 */
static bool start_early(struct race *r)
{
	cleanup(ticket_finish) struct ticket ticket;
	struct quic_ticket use;
	struct err err;
	uint64_t rtt_us;

	ticket_init(&ticket);
	if (r->early || !r->config.tickets ||
	    !ticket_take(r->config.tickets, r->config.rank, r->endpoint.started, r->config.key,
			 &ticket) ||
	    !addr_list_has(&r->addresses, &ticket.remote))
		return false;
	use.session = buf_span(&ticket.session);
	use.params = buf_span(&ticket.params);
	rtt_us = MAX(ticket.rtt_us, (uint64_t)EARLY_RTT_MIN_US);
	r->early = new_attempt(r, &ticket.remote, &use, rtt_us, &err);
	if (!r->early)
		return false;
	if (!quic_conn_is_early(h3_conn_quic(attempt_h3(r->early)))) {
		attempt_close(r->early);
		r->early = NULL;
		return false;
	}
	r->early_wait_ms = between(3 * rtt_us / 1000, EARLY_STAGGER_MIN_MS, EARLY_STAGGER_MAX_MS);
	r->early_until =
		clock_now() + NSEC_PER_MSEC * between(EARLY_SILENT_RTTS * rtt_us / 1000,
						      EARLY_SILENT_MIN_MS, EARLY_SILENT_MAX_MS);
	uv_timer_start(&r->timer, on_stagger, r->early_wait_ms, 0);
	r->config.ops->early(r->config.owner, r->early);
	return true;
}

/* False when this address failed at once. */
static bool start_attempt(struct race *r, size_t i)
{
	struct err err = { 0 };

	r->attempts[i] = new_attempt(r, &r->addresses.items[i], NULL, 0, &err);
	if (r->attempts[i]) {
		r->running++;
		return true;
	}
	note_failure(r, i, &err);
	return false;
}

/* A tunnel that is being restarted listens again in a moment, perhaps elsewhere. */
static void on_retry(uv_timer_t *timer)
{
	struct race *r = timer->data;

	if (keeper_is_replaced(r->config.endpoint, r->endpoint.started)) {
		close_losers(r, NULL);
		next_round(r);
		return;
	}
	for (size_t i = 0; i < r->addresses.len; i++) {
		bool again = r->refused[i] && !r->attempts[i];

		r->refused[i] = false;
		if (again)
			(void)start_attempt(r, i);
	}
	start_next(r);
}

static bool may_retry(const struct race *r)
{
	if (clock_now() - r->started >= RETRY_FOR)
		return false;
	for (size_t i = 0; i < r->addresses.len; i++) {
		if (r->refused[i])
			return true;
	}
	return false;
}

/* The file is another one now, or says that all is as it was. */
static void on_refreshed(void *owner, const struct err *why)
{
	struct race *r = owner;

	if (r->done)
		return;
	if (why) {
		fail(r, why);
	} else if (!why && keeper_is_replaced(r->config.endpoint, r->endpoint.started)) {
		close_losers(r, NULL);
		r->started = clock_now();
		next_round(r);
	} else {
		race_check(r);
	}
}

/* False: it was done already, or cannot be. */
static bool refresh(struct race *r)
{
	if (!r->config.refresh || r->refresher.was_started)
		return false;
	uv_timer_stop(&r->refresh_at);
	log_debug("%s: no answer: is it elsewhere?", r->config.name);
	refresher_start(&r->refresher, &(struct refresher_config){ .loop = r->config.loop,
								   .argv = r->config.refresh,
								   .done = on_refreshed,
								   .owner = r });
	return true;
}

static void on_refresh_due(uv_timer_t *timer)
{
	struct race *r = timer->data;

	if (r->done)
		return;
	if (r->more[RACE_LOGIN].attempt && !r->waits_for_login) {
		r->waits_for_login = true;
		uv_timer_start(timer, on_refresh_due, REFRESH_LOGIN_MS, 0);
		return;
	}
	(void)refresh(r);
}

static void start_next(struct race *r)
{
	while (r->next < r->addresses.len) {
		if (!start_attempt(r, r->next++))
			continue;
		uv_timer_start(&r->timer, on_stagger, STAGGER_MS, 0);
		return;
	}
	if (may_retry(r)) {
		uv_timer_start(&r->timer, on_retry, RETRY_MS, 0);
		/* Of a job elsewhere, its loopback address refuses: that alone tells nothing. */
		if (r->running == 0 && !race_ways_are_trying(r))
			(void)refresh(r);
	} else {
		race_ways_look(r);
	}
}

void race_check(struct race *r)
{
	bool waits = uv_is_active((uv_handle_t *)&r->timer);

	if (!r->done && !waits && r->running == 0 && (!r->early || r->early_over) &&
	    !race_ways_are_trying(r) && !r->refresher.is_running && !refresh(r))
		fail_round(r);
}

static void on_round(uv_timer_t *timer)
{
	struct race *r = timer->data;
	struct err err = { 0 };

	r->next = 0;
	r->running = 0;
	r->worst = (struct err){ 0 };
	r->addresses.len = 0;
	memset(r->refused, 0, sizeof(r->refused));
	r->is_missing = !r->config.endpoint;
	if (r->is_missing) {
		race_ways_look(r);
		return;
	}
	if (endpoint_read(r->config.endpoint, &r->endpoint, &err) < 0) {
		r->is_missing = err.kind == ERR_NOT_FOUND;
		if (!r->is_missing)
			fail(r, &err);
		else if (clock_now() - r->started < RETRY_FOR)
			next_round(r);
		else
			race_check(r);
		return;
	}
	if (!r->config.direct) {
		race_ways_look(r);
		return;
	}
	order_here(&r->endpoint, &r->addresses);
	if (!start_early(r))
		start_next(r);
}

static void next_round(struct race *r)
{
	uv_timer_start(&r->timer, on_round, RETRY_MS, 0);
}

void race_open(struct race *r, const struct race_config *config)
{
	*r = (struct race){ .config = *config, .started = clock_now() };
	uv_timer_init(config->loop, &r->timer);
	r->timer.data = r;
	uv_timer_init(config->loop, &r->patience);
	r->patience.data = r;
	uv_timer_init(config->loop, &r->refresh_at);
	r->refresh_at.data = r;
	race_ways_open(r);
	uv_timer_start(&r->timer, on_round, 0, 0);
	if (config->refresh)
		uv_timer_start(&r->refresh_at, on_refresh_due, REFRESH_MS, 0);
}

void race_look(struct race *r)
{
	race_ways_look(r);
}

void race_stop(struct race *r)
{
	r->done = true;
	close_losers(r, NULL);
	race_ways_close(r, NULL);
	attempt_close(r->early);
	r->early = NULL;
	uv_timer_stop(&r->timer);
	uv_timer_stop(&r->patience);
	uv_timer_stop(&r->refresh_at);
}

static void on_part_closed(void *owner)
{
	struct race *r = owner;

	if (--r->handles == 0)
		r->closed(r->config.owner);
}

static void on_timer_closed(uv_handle_t *handle)
{
	on_part_closed(handle->data);
}

void race_close(struct race *r, void (*closed)(void *owner), void *owner)
{
	race_stop(r);
	r->config.owner = owner;
	r->closed = closed;
	r->handles = 5;
	refresher_close(&r->refresher, on_part_closed, r);
	uv_close((uv_handle_t *)&r->refresh_at, on_timer_closed);
	uv_close((uv_handle_t *)&r->ways, on_timer_closed);
	uv_close((uv_handle_t *)&r->timer, on_timer_closed);
	uv_close((uv_handle_t *)&r->patience, on_timer_closed);
}
