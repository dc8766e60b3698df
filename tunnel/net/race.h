/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The race of a client (client.h) for its first connection: every address of the endpoint file and
 * every other way (race_ways.h) is tried, and the first attempt that proves the job's key wins.
 * What is known of the job before that is in here, too; afterwards the client has the winner and
 * the race is idle.
 *
 * Attempts start 50 ms apart, or as soon as the one before failed (the idea of RFC 8305). An
 * address of this very host is tried first. A job that has just started, or whose tunnel is being
 * restarted, has no endpoint file or a stale one, so that for some seconds the file is read again
 * after a failure. Where it is a copy that may be old, a program is run that renews it when nobody
 * has answered for a second.
 *
 * With a ticket (ticket.h) the address that gave it goes first, alone for some round trips, and is
 * handed over before anything was heard of it. Should another one win after all, won() has both.
 */

#include <uv.h>

#include "tunnel/net/addr.h"
#include "tunnel/net/attempt.h"
#include "tunnel/net/endpoint.h"
#include "tunnel/net/refresher.h"
#include "tunnel/net/relays.h"

struct race_ops {
	/* An attempt that can be asked already; it stays the race's until won(). */
	void (*early)(void *owner, struct attempt *early);
	/*
	 * The winner, the owner's from here on. early is NULL, or the one that was handed over
	 * before and lost; the owner closes it.
	 */
	void (*won)(void *owner, struct attempt *winner, struct attempt *early);
	/* Nobody won. Last. */
	void (*failed)(void *owner, const struct err *why);
};

struct race_config {
	uv_loop_t *loop;
	const char *name;     /* of the job, for messages; all these are borrowed */
	const char *endpoint; /* path of endpoint.RANK.json, or NULL: it is somewhere else */
	const struct tls_context *tls;
	const struct key_public *key;
	const char *tickets;	    /* NULL: none are used */
	const char *const *refresh; /* see refresher.h; NULL: the file is as it should be */
	unsigned int rank;
	bool direct;		       /* whether addresses may be tried at all */
	const char *login;	       /* ssh destination; NULL: none */
	const char *const *through;    /* see path_stream.h; NULL: none */
	struct relays *relays;	       /* NULL: none */
	struct quic_tag tag, peer_tag; /* of our ids and the job's */
	const struct race_ops *ops;
	void *owner;
};

/* A way that is not an address; see race_ways.h. */
enum { RACE_RELAY, RACE_LOGIN, RACE_WAYS };
struct race_way {
	struct path *path; /* the attempt's */
	struct attempt *attempt;
	const struct path *failed; /* it was tried in vain; never looked into */
	struct err why;
};

struct race {
	struct race_config config;
	uv_timer_t timer;    /* the next attempt, or the next round */
	uv_timer_t patience; /* with an early attempt that stays silent */
	struct endpoint endpoint;
	struct addr_list addresses; /* in the order they are tried */
	size_t next;		    /* of addresses */
	struct attempt *attempts[ADDR_LIST_MAX];
	bool refused[ADDR_LIST_MAX]; /* nobody listened there: worth another try */
	struct attempt *early;	     /* has requests already; may be over */
	uint64_t early_until;	     /* it may be silent */
	uint64_t early_wait_ms;
	size_t running;
	uint64_t started;
	struct err worst; /* the most telling failure of this round */
	bool is_missing;  /* there is no endpoint file */
	uv_timer_t ways;  /* the next look at what follows */
	struct race_way more[RACE_WAYS];
	uv_timer_t refresh_at;
	struct refresher refresher;
	bool waits_for_login; /* before somebody is asked where the job is */
	bool done, early_over;
	unsigned int handles;
	void (*closed)(void *owner);
};

/* Starts at once. */
void race_open(struct race *race, const struct race_config *config);
/* The relays have changed (relays_ops). */
void race_look(struct race *race);
/* Every attempt that is still the race's ends; nothing is called back any more. */
void race_stop(struct race *race);
/* Stops it; closed is called once the memory is the owner's again. */
void race_close(struct race *race, void (*closed)(void *owner), void *owner);
