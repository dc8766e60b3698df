/* SPDX-License-Identifier: MIT */
/* Relays and the login node in a race; see race_ways.h. */
#include "race_ways.h"

#include "init/base/log.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/path_stream.h"

/* What addresses are ahead of a relay, and of a login node. */
#define RELAY_AFTER (100 * NSEC_PER_MSEC)
#define LOGIN_AFTER (250 * NSEC_PER_MSEC)
/*
 * How long relays may take, with names, proxies and TCP; and how long a job that they answer for
 * may not be there yet.
 */
#define RELAYS_FOR (10 * NSEC_PER_SEC)
#define JOB_FOR (5 * NSEC_PER_SEC)

static bool is_direct_trying(const struct race *r)
{
	return r->running > 0 || r->next < r->addresses.len || (r->early && !r->early_over);
}

static struct path *next_relay(const struct race *r)
{
	return r->config.relays ? relays_path(r->config.relays, r->more[RACE_RELAY].failed) : NULL;
}

static void start(struct race *r, struct race_way *way, struct path *path)
{
	struct err err = { 0 };
	char text[PATH_TEXT_MAX];

	path_format(path, text);
	log_debug("%s: trying %s", r->config.name, text);
	way->path = path;
	way->attempt = race_attempt(r, path, NULL, 0, &err);
	if (way->attempt)
		return;
	way->why = err;
	way->failed = path;
}

static void start_login(struct race *r)
{
	const struct path_stream_config config = {
		.loop = r->config.loop,
		.login = r->config.login,
		.through = r->config.through,
		.to = &r->endpoint.tcp,
	};

	start(r, &r->more[RACE_LOGIN], path_stream_new(&config));
}

/* When it may start; QUIC_NEVER for a way that is not to, now. */
static uint64_t relay_at(const struct race *r)
{
	if (r->more[RACE_RELAY].attempt || !next_relay(r))
		return QUIC_NEVER;
	return is_direct_trying(r) ? r->started + RELAY_AFTER : r->started;
}

static bool may_login(const struct race *r)
{
	return (r->config.login || r->config.through) && !r->is_missing && r->endpoint.tcp.len > 0;
}

static uint64_t login_at(const struct race *r)
{
	const struct race_way *way = &r->more[RACE_LOGIN];

	if (!may_login(r) || way->attempt || way->failed)
		return QUIC_NEVER;
	return is_direct_trying(r) || r->config.relays ? r->started + LOGIN_AFTER : r->started;
}

static uint64_t relays_until(const struct race *r)
{
	return r->started + (relays_have_answered(r->config.relays) ? JOB_FOR : RELAYS_FOR);
}

static bool are_relays_trying(const struct race *r)
{
	if (r->more[RACE_RELAY].attempt)
		return true;
	if (!r->config.relays || relays_are_over(r->config.relays))
		return false;
	if (r->more[RACE_RELAY].failed)
		return next_relay(r) != NULL;
	return clock_now() < relays_until(r);
}

bool race_ways_are_trying(const struct race *r)
{
	return are_relays_trying(r) || r->more[RACE_LOGIN].attempt || login_at(r) != QUIC_NEVER;
}

static void on_timer(uv_timer_t *timer)
{
	race_ways_look(timer->data);
}

void race_ways_open(struct race *r)
{
	uv_timer_init(r->config.loop, &r->ways);
	r->ways.data = r;
}

void race_ways_look(struct race *r)
{
	uint64_t now = clock_now(), next;

	if (r->done)
		return;
	if (relay_at(r) <= now)
		start(r, &r->more[RACE_RELAY], next_relay(r));
	if (login_at(r) <= now)
		start_login(r);
	next = MIN(relay_at(r), login_at(r));
	if (are_relays_trying(r) && !r->more[RACE_RELAY].attempt)
		next = MIN(next, relays_until(r));
	if (next == QUIC_NEVER)
		uv_timer_stop(&r->ways);
	else
		uv_timer_start(&r->ways, on_timer,
			       next > now ? (next - now) / NSEC_PER_MSEC + 1 : 0, 0);
	race_check(r);
}

struct attempt *race_ways_ready(const struct race *r)
{
	for (size_t i = 0; i < RACE_WAYS; i++) {
		if (r->more[i].attempt && attempt_is_ready(r->more[i].attempt))
			return r->more[i].attempt;
	}
	return NULL;
}

static struct race_way *find(struct race *r, const struct attempt *attempt)
{
	for (size_t i = 0; i < RACE_WAYS; i++) {
		if (r->more[i].attempt == attempt)
			return &r->more[i];
	}
	return NULL;
}

bool race_ways_over(struct race *r, struct attempt *attempt, const struct err *why)
{
	struct race_way *way = find(r, attempt);

	if (!way)
		return false;
	log_debug("%s: %s: %s", r->config.name, path_kind_name(way->path->kind), why->text);
	way->attempt = NULL;
	way->why = *why;
	way->failed = way->path;
	attempt_close(attempt);
	race_ways_look(r);
	return true;
}

void race_ways_close(struct race *r, const struct attempt *winner)
{
	for (size_t i = 0; i < RACE_WAYS; i++) {
		if (r->more[i].attempt != winner)
			attempt_close(r->more[i].attempt);
		r->more[i].attempt = NULL;
	}
	uv_timer_stop(&r->ways);
}

/* A key that does not fit says more than all who are silent. */
static bool is_telling(const struct err *why)
{
	return why->kind == ERR_DENIED || why->kind == ERR_PROTOCOL;
}

void race_ways_tell(const struct race *r, struct err *why)
{
	cleanup(buf_finish) struct buf more = BUF_INIT(ERR_TEXT_MAX);
	const struct err *relayed = &r->more[RACE_RELAY].why, *login = &r->more[RACE_LOGIN].why;
	struct err base = *why;

	if (is_telling(relayed) || is_telling(login)) {
		*why = is_telling(relayed) ? *relayed : *login;
		return;
	}
	if (relayed->kind != ERR_NONE)
		(void)!buf_printf(&more, "; through the relay: %s", relayed->text);
	else if (r->config.relays)
		(void)!relays_tell(r->config.relays, &more);
	if (login->kind != ERR_NONE)
		(void)!buf_printf(&more, "; through %s: %s",
				  r->config.through ? "the cluster" : r->config.login, login->text);
	if (base.kind == ERR_UNAVAILABLE && r->config.relays)
		base.kind = relays_error_kind(r->config.relays);
	err_set(why, base.kind, "%s%s", base.text, buf_str(&more));
}
