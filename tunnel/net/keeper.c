/* SPDX-License-Identifier: MIT */
/* Looking after a connection; see keeper.h. */
#include "keeper.h"

#include "init/base/log.h"
#include "tunnel/net/endpoint.h"
#include "tunnel/net/keeper_ask.h"
#include "tunnel/net/keeper_paths.h"
#include "tunnel/net/keeper_punch.h"

#define TICK_MS 1000
/* While something is under way and there are other paths. */
#define TICK_BUSY_MS 250
/* When a heartbeat counts as not answered, and how often the job is asked from then on. */
#define PROBE_AFTER (4 * NSEC_PER_SEC)
#define PROBE_EVERY (3 * NSEC_PER_SEC)
/* A tick that comes so late says that time passed without us. */
#define STOPPED_FOR (10 * NSEC_PER_SEC)
/* In use: something else than heartbeats passed within this time. */
#define ACTIVE_FOR (60 * NSEC_PER_SEC)
#define ACTIVE_BYTES 1024
/*
 * How long "nobody listens there" has to last before we believe it: a tunnel is restarted at once
 * at first.
 */
#define REFUSED_FOR (10 * NSEC_PER_SEC)
/* So long a silence is an end if the endpoint file says so too: the node itself may be gone. */
#define SILENT_FOR (15 * NSEC_PER_SEC)

static void set_heartbeat(struct keeper *k, const struct quic_stats *stats, uint64_t now)
{
	uint64_t bytes = stats->bytes_sent + stats->bytes_received, want;

	if (bytes > k->bytes + ACTIVE_BYTES)
		k->active_at = now;
	k->bytes = bytes;
	want = now - k->active_at < ACTIVE_FOR ? KEEPER_HEARTBEAT_ACTIVE : KEEPER_HEARTBEAT_IDLE;
	if (want != k->keep_alive)
		quic_conn_set_keep_alive(h3_conn_quic(attempt_h3(k->config.attempt)), want);
	k->keep_alive = want;
}

bool keeper_is_replaced(const char *path, double started)
{
	struct endpoint now;
	struct err err;

	if (endpoint_read(path, &now, &err) < 0)
		return err.kind == ERR_NOT_FOUND;
	return now.started > started || now.started < started;
}

/* Who never had the file learns nothing from it. */
static bool is_replaced(const struct keeper *k)
{
	return k->config.started > 0 && keeper_is_replaced(k->config.endpoint, k->config.started);
}

/* A reason to give up, or false. */
static bool is_gone(const struct keeper *k, uint64_t now, uint64_t silent, struct err *ret)
{
	uint64_t since = attempt_refused_since(k->config.attempt);
	/* A byte stream is refused by what lies between, which may have its own troubles. */
	bool was_refused =
		since != CLOCK_NEVER && attempt_path(k->config.attempt)->kind != PATH_LOGIN;

	if (keeper_ask_answer(k, ret))
		return true;
	if (!was_refused && silent < SILENT_FOR)
		return false;
	if ((!was_refused || now - since < REFUSED_FOR) && !is_replaced(k))
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
	struct keeper *k = owner;

	k->route_changed = true;
	if (k->stopped)
		return;
	keeper_paths_hope(k, clock_now());
	if (attempt_is_misplaced(k->config.attempt))
		keeper_paths_refresh(k, "the address changed");
}

static bool is_misplaced(struct keeper *k)
{
	bool look = k->route_changed;

	k->route_changed = false;
	return look && attempt_is_misplaced(k->config.attempt);
}

/*
 * How long a heartbeat has not been answered. That does not begin while we were asleep ourselves.
 */
static uint64_t unanswered(const struct keeper *k, uint64_t received_at, uint64_t now)
{
	uint64_t since = MAX(received_at + k->keep_alive, k->awake_at);

	return now > since ? now - since : 0;
}

/* Tells a silence that has lasted, less and less often, and its end. */
static void tell_silence(struct keeper *k, uint64_t silent)
{
	uint64_t next = k->silent_told ? 4 * k->silent_told : k->config.silence_ns;

	if (!k->config.ops->silent)
		return;
	if (silent >= next) {
		k->silent_told = silent;
		k->config.ops->silent(k->config.owner, silent);
	} else if (k->silent_told && silent < k->config.silence_ns) {
		k->silent_told = 0;
		k->config.ops->silent(k->config.owner, 0);
	}
}

/* The machine was suspended, or this process was: stopped, or starved. */
static bool was_asleep(struct keeper *k, uint64_t now)
{
	bool woke = clock_wake_check(&k->wake, clock_slept());
	bool late = now - k->tick_at > STOPPED_FOR;

	k->tick_at = now;
	return woke || late;
}

/*
 * While heartbeats are not answered the job is asked every few seconds. Its first word after that
 * is reason to move: the move resets what it still holds back.
 */
static void look_for_life(struct keeper *k, uint64_t received_at, uint64_t now)
{
	bool silent = now > received_at + k->keep_alive + PROBE_AFTER;

	if (k->was_silent && !silent)
		keeper_paths_renew(k, "heard again");
	if (silent && now - k->probed_at > PROBE_EVERY) {
		k->probed_at = now;
		quic_conn_probe(h3_conn_quic(attempt_h3(k->config.attempt)));
	}
	k->was_silent = silent;
}

static void on_tick(uv_timer_t *timer)
{
	struct keeper *k = timer->data;
	uint64_t now = clock_now(), silent;
	struct quic_stats stats;
	struct err gone;
	bool was_away = was_asleep(k, now), is_asking;

	quic_conn_stats(h3_conn_quic(attempt_h3(k->config.attempt)), &stats);
	uv_timer_set_repeat(timer,
			    k->config.relays && stats.in_flight > 0 ? TICK_BUSY_MS : TICK_MS);
	set_heartbeat(k, &stats, now);
	silent = now - MAX(stats.received_at, k->moved_at);
	if (stats.received_at > k->moved_at)
		k->patience = 2 * k->keep_alive + 2 * NSEC_PER_SEC;
	if (was_away)
		k->awake_at = now;
	is_asking = keeper_ask_tick(k, now, unanswered(k, stats.received_at, now));
	if (was_away) {
		if (k->config.relays)
			relays_wake(k->config.relays, true);
		keeper_paths_hope(k, now);
		keeper_paths_refresh(k, "the machine slept");
	} else if (is_misplaced(k)) {
		keeper_paths_refresh(k, "the address changed");
	} else if (!is_asking && is_gone(k, now, silent, &gone)) {
		k->stopped = true;
		uv_timer_stop(&k->timer);
		k->config.ops->gone(k->config.owner, &gone);
		return;
	} else if (keeper_paths_is_dead(k, &stats, silent)) {
		keeper_paths_leave(k, "no answer");
	} else if (silent > k->patience) {
		/*
		 * Each move costs a connection id, so that a long silence is met less and less
		 * often.
		 */
		k->patience *= 2;
		keeper_paths_renew(k, "no answer");
	}
	look_for_life(k, stats.received_at, now);
	keeper_paths_tick(k, now);
	tell_silence(k, unanswered(k, stats.received_at, now));
}

void keeper_open(struct keeper *k, const struct keeper_config *config)
{
	uint64_t now = clock_now();

	*k = (struct keeper){ .config = *config,
			      .open = true,
			      .active_at = now,
			      .moved_at = now,
			      .awake_at = now,
			      .tick_at = now,
			      .keep_alive = KEEPER_HEARTBEAT_ACTIVE,
			      .patience = 2 * KEEPER_HEARTBEAT_ACTIVE + 2 * NSEC_PER_SEC };
	if (k->config.silence_ns == 0)
		k->config.silence_ns = KEEPER_SILENCE;
	keeper_paths_open(k, now);
	clock_wake_init(&k->wake, clock_slept());
	uv_timer_init(config->loop, &k->timer);
	k->timer.data = k;
	uv_timer_start(&k->timer, on_tick, TICK_MS, TICK_MS);
	route_open(&k->route, config->loop, on_route_changed, k);
}

void keeper_move(struct keeper *k, const char *why)
{
	if (k->open && !k->stopped)
		keeper_paths_renew(k, why);
}

void keeper_look(struct keeper *k)
{
	if (k->open && !k->stopped)
		keeper_paths_tick(k, clock_now());
}

static void on_route_closed(void *owner)
{
	struct keeper *k = owner;

	k->closed(k->config.owner);
}

static void on_asked(void *owner)
{
	struct keeper *k = owner;

	k->route.owner = k;
	route_close(&k->route, on_route_closed);
}

static void on_timer_closed(uv_handle_t *handle)
{
	keeper_ask_close(handle->data, on_asked);
}

void keeper_close(struct keeper *k, void (*closed)(void *owner), void *owner)
{
	if (!k->open) {
		closed(owner);
		return;
	}
	k->open = false;
	k->stopped = true;
	keeper_punch_stop(k);
	k->closed = closed;
	k->config.owner = owner;
	uv_close((uv_handle_t *)&k->timer, on_timer_closed);
}
