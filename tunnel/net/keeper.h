/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Looks after a client's connection once it is there: heartbeats, moves, and the question whether
 * the other end still exists.
 *
 * A heartbeat goes out every 5 s while the connection is in use and every 25 s when it is idle.
 * When the machine slept, its address changed, or the job was silent for more than two heartbeats,
 * the connection moves to a fresh path, or another one (keeper_paths.h), at once, which repairs
 * within two round trips what its backed-off timers would repair in a minute. When nobody listens
 * there any more and the endpoint file says so, too, or nobody has for ten seconds, it is gone.
 *
 * A job that does not answer is asked every three seconds, and when it does, the connection moves,
 * too. Silence alone never ends it: a network that is away for an hour is no reason to lose a
 * shell. Whoever started the job may know better, and is asked (keeper_ask.h). The user is told,
 * and told again when it is over; the idle timeout of the connection is the limit (24 h, `keygen
 * --idle-timeout`).
 */

#include <uv.h>

#include "tunnel/net/addr.h"
#include "tunnel/net/attempt.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/punch.h"
#include "tunnel/net/refresher.h"
#include "tunnel/net/relays.h"
#include "tunnel/net/route.h"

#define KEEPER_HEARTBEAT_ACTIVE (5 * NSEC_PER_SEC)
#define KEEPER_HEARTBEAT_IDLE (25 * NSEC_PER_SEC)
/* How long a job is silent before the user hears of it. */
#define KEEPER_SILENCE (30 * NSEC_PER_SEC)

struct keeper_ops {
	/* Provably gone: the connection is to be closed. Last. */
	void (*gone)(void *owner, const struct err *why);
	/*
	 * Optional. So long a heartbeat has not been answered; told after silence_ns, then less and
	 * less often. 0: the job is heard again.
	 */
	void (*silent)(void *owner, uint64_t since_ns);
};

struct keeper_config {
	uv_loop_t *loop;
	const char *name;		   /* of the job, for messages; these two are borrowed */
	const char *endpoint;		   /* path */
	double started;			   /* as the endpoint file said */
	const char *const *refresh;	   /* of keeper_ask.h; NULL: nobody is asked. Borrowed */
	struct attempt *attempt;	   /* ready; must outlive the keeper's timer */
	struct relays *relays;		   /* NULL: none */
	const struct addr_list *addresses; /* the job's, for direct paths; NULL: none may be used */
	uint64_t silence_ns;		   /* 0: KEEPER_SILENCE */
	const struct keeper_ops *ops;
	void *owner;
};

struct keeper {
	struct keeper_config config;
	uv_timer_t timer;
	bool open, stopped, was_silent;
	uint64_t probed_at;
	struct route route;
	bool route_changed; /* since the last tick */
	/* Looking for a better path; see keeper_paths.h. */
	uint64_t probe_at;   /* the next round */
	unsigned int probes; /* rounds since the last reason to hope */
	size_t probe_next;   /* of addresses */
	bool is_trying;
	uint64_t trial_until;
	/* A way through NATs; see keeper_punch.h. */
	struct punch *punch;	/* NULL: not asked for, or over */
	bool no_punch;		/* never again */
	struct quic_addr found; /* that answers; all zero: none */
	struct clock_wake wake;
	uint64_t tick_at, awake_at, active_at, moved_at;
	uint64_t bytes, keep_alive, patience;
	uint64_t silent_told; /* how long the silence was when it was told last; 0: it was not */
	/* What became of it; see keeper_ask.h. */
	struct refresher refresher;
	uint64_t ask_at, ask_pause; /* not before; until the next time */
	struct err ended;	    /* ERR_NONE: not that anybody knew */
	void (*closed)(void *owner);
};

/* Whether the endpoint file is gone, or of a server that started at another time. */
bool keeper_is_replaced(const char *endpoint, double started);

void keeper_open(struct keeper *keeper, const struct keeper_config *config);
/* Moves to a fresh way of the path in use; why, for the log. */
void keeper_move(struct keeper *keeper, const char *why);
/* The relays have changed: a better path, or any at all, may be there. */
void keeper_look(struct keeper *keeper);
/* closed is called once the memory is the owner's again; at once when it was never opened. */
void keeper_close(struct keeper *keeper, void (*closed)(void *owner), void *owner);
