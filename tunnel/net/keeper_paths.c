/* SPDX-License-Identifier: MIT */
/* Choosing among the paths of a connection; see keeper_paths.h. */
#include "keeper_paths.h"

#include "init/base/log.h"
#include "tunnel/net/keeper_punch.h"

/* In use, three probe timeouts are about nine round trips. */
#define DEAD_LEAST (2 * NSEC_PER_SEC)
#define DEAD_RTTS 9
#define DEAD_AFTER_HEARTBEAT (1500 * NSEC_PER_MSEC)
#define TRIAL_FOR (2 * NSEC_PER_SEC)

static const uint64_t probe_after[] = { NSEC_PER_SEC, 30 * NSEC_PER_SEC, 120 * NSEC_PER_SEC,
					300 * NSEC_PER_SEC, 600 * NSEC_PER_SEC };

static const struct path *path_in_use(const struct keeper *k)
{
	return attempt_path(k->config.attempt);
}

static bool is_relayed(const struct keeper *k)
{
	enum path_kind kind = path_in_use(k)->kind;

	return kind == PATH_RELAY || kind == PATH_RELAY_TCP;
}

/* Another path that is known to lead to the job; NULL: none. */
static struct path *way_out(const struct keeper *k)
{
	return k->config.relays ? relays_path(k->config.relays, path_in_use(k)) : NULL;
}

static void schedule(struct keeper *k, uint64_t now)
{
	k->probe_at = now + probe_after[MIN(k->probes, ARRAY_LEN(probe_after) - 1)];
	k->probe_next = 0;
	k->probes++;
}

void keeper_paths_hope(struct keeper *k, uint64_t now)
{
	k->probes = 0;
	k->probe_next = 0;
	k->probe_at = now;
}

void keeper_paths_open(struct keeper *k, uint64_t now)
{
	k->probes = 0;
	schedule(k, now);
	keeper_punch_look(k);
}

void keeper_paths_renew(struct keeper *k, const char *why)
{
	char text[PATH_TEXT_MAX];
	struct err err;

	path_format(path_in_use(k), text);
	log_info("%s: %s: moving to a fresh path: %s", k->config.name, why, text);
	if (attempt_migrate(k->config.attempt, &err) < 0)
		log_info("%s: cannot move: %s", k->config.name, err.text);
	k->moved_at = clock_now();
}

void keeper_paths_leave(struct keeper *k, const char *why)
{
	struct path *to = way_out(k);
	char from_text[PATH_TEXT_MAX], to_text[PATH_TEXT_MAX];
	struct err err;

	keeper_punch_leave(k);
	if (!to) {
		keeper_paths_renew(k, why);
		return;
	}
	path_format(path_in_use(k), from_text);
	path_format(to, to_text);
	if (attempt_move(k->config.attempt, to, &err) < 0) {
		log_info("%s: cannot move to %s: %s", k->config.name, to_text, err.text);
		return;
	}
	log_info("%s: %s: moved from %s to %s", k->config.name, why, from_text, to_text);
	k->moved_at = clock_now();
	k->probes = 1;
	schedule(k, k->moved_at);
}

void keeper_paths_refresh(struct keeper *k, const char *why)
{
	if (path_in_use(k)->kind == PATH_PUNCHED)
		keeper_paths_leave(k, why);
	else
		keeper_paths_renew(k, why);
}

/* Only a relay that was heard since is worth a move: else it is our own network that is away. */
bool keeper_paths_is_dead(const struct keeper *k, const struct quic_stats *stats, uint64_t silent)
{
	uint64_t after = k->keep_alive + DEAD_AFTER_HEARTBEAT, now = clock_now();
	const struct path *to = way_out(k);

	if (stats->in_flight > 0)
		after = MIN(after, MAX(DEAD_LEAST, DEAD_RTTS * stats->rtt_ns));
	if (!to || silent < after / 2)
		return false;
	if (relays_heard_at(k->config.relays, to) + silent > now)
		return silent > after;
	relays_wake(k->config.relays, false);
	return false;
}

/* A trial that the job answered, or did not. */
static void look_at_trial(struct keeper *k, uint64_t now)
{
	char text[PATH_TEXT_MAX];

	if (!k->is_trying)
		return;
	if (attempt_is_trying(k->config.attempt) && now < k->trial_until)
		return;
	k->is_trying = false;
	if (attempt_is_trying(k->config.attempt)) {
		attempt_end_trial(k->config.attempt);
		return;
	}
	if (path_in_use(k)->kind > PATH_PUNCHED)
		return;
	path_format(path_in_use(k), text);
	log_info("%s: a better path answered: moved to %s", k->config.name, text);
	k->moved_at = now;
}

static bool try_path(struct keeper *k, struct path *path, uint64_t now)
{
	struct err err;

	if (attempt_try(k->config.attempt, path, &err) < 0) {
		log_debug("%s: cannot try another path: %s", k->config.name, err.text);
		path_close(path);
		return false;
	}
	k->is_trying = true;
	k->trial_until = now + TRIAL_FOR;
	return true;
}

void keeper_paths_try_found(struct keeper *k)
{
	struct path *path = keeper_punch_path(k);

	if (path)
		(void)try_path(k, path, clock_now());
}

/* The next of what was found and the addresses; after the last one it is time to wait. */
static void begin_trial(struct keeper *k, uint64_t now)
{
	const struct addr_list *list = k->config.addresses;
	size_t count = list ? list->len : 0;

	while (k->probe_next <= count) {
		size_t next = k->probe_next++;
		struct path *path =
			next == 0 ? keeper_punch_path(k)
				  : path_udp_new(k->config.loop, &list->items[next - 1], NULL);

		if (!path)
			continue;
		if (try_path(k, path, now))
			return;
		break;
	}
	schedule(k, now);
}

void keeper_paths_tick(struct keeper *k, uint64_t now)
{
	look_at_trial(k, now);
	if (is_relayed(k) && !relays_is_open(k->config.relays, path_in_use(k)) && way_out(k))
		keeper_paths_leave(k, "the relay is gone");
	keeper_punch_look(k);
	if (path_in_use(k)->kind <= PATH_PUNCHED || k->is_trying)
		return;
	if (now >= k->probe_at)
		begin_trial(k, now);
}
