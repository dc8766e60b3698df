/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * By what ways a job can be reached beside its UDP socket: a link to each relay that tunnel.json
 * names, and a TCP port for who comes through a login node. What arrives there is given to the
 * server as paths.
 *
 *	struct presence *presence = presence_new(&config);
 *	...
 *	presence_close(presence, closed, me);    after the server was closed
 *
 * Nothing here may hurt the job, so nothing here fails: a relay that is down, refuses the token or
 * has another key, a name that nobody resolves, a port that is taken are told once in the log and
 * at any time by presence_list(), and are tried again where that makes sense.
 */

#include "tunnel/net/hub.h"
#include "tunnel/net/job_file.h"
#include "tunnel/net/punch.h"
#include "tunnel/net/server.h"

struct presence;

struct presence_config {
	uv_loop_t *loop;
	struct hub *hub; /* these are borrowed and outlive it */
	struct server *server;
	struct punches *punches;    /* is told where relays see the socket; may be NULL */
	const struct job_file *job; /* relays and paths */
	const struct key_pair *key; /* of the rank; copied */
	struct quic_addr listen;    /* TCP: there if possible, else at another port */
};

struct presence *presence_new(const struct presence_config *config);
void presence_close(struct presence *presence, void (*closed)(void *owner), void *owner);

/* Where byte streams are taken; false: nowhere. */
bool presence_tcp(const struct presence *presence, struct quic_addr *ret) attr_must_use;

#define PRESENCE_MAX (RELAY_SITES_MAX + 2)

/* One way, as GET /info tells it. */
struct presence_entry {
	enum path_kind kind;
	const char *url;	  /* of a relay, borrowed; NULL */
	struct quic_addr address; /* where it listens, or where a relay sees us; all zero */
	bool is_up;
	uint64_t rtt_ns; /* to the relay; 0: not known */
	const char *why; /* it is not up; borrowed, NULL: nothing to say */
};

size_t presence_list(const struct presence *presence, struct presence_entry ret[PRESENCE_MAX]);
