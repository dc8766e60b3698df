/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The workstation's connection to a rank of a job: races all ways there (race.h), keeps the first
 * that proves the job's key, and looks after it until it ends.
 *
 * With a ticket (ticket.h) the connection is handed over before anything was heard: requests travel
 * in the first flight. Should another way win after all, the requests move there, and moved() says
 * so.
 *
 * Afterwards a keeper (keeper.h) looks after the connection until it ends.
 */

#include <uv.h>

#include "tunnel/h3/conn.h"
#include "tunnel/net/path_mask.h"
#include "tunnel/net/relay_site.h"

struct client;

struct client_ops {
	/*
	 * Ready for requests. With a ticket that is at once, and the job may turn out not to be
	 * there: closed() follows then.
	 */
	void (*connected)(void *owner, struct h3_conn *conn);
	/*
	 * No connection could be made, or it is over; once, and not from inside a callback of a
	 * stream. The text begins with the job's name.
	 */
	void (*closed)(void *owner, const struct err *why);
	/*
	 * Another connection has taken over all requests; further ones are made on it. Without it
	 * (NULL) tickets are not used, only kept.
	 */
	void (*moved)(void *owner, struct h3_conn *conn);
	/* Optional; see keeper_ops.silent. */
	void (*silent)(void *owner, uint64_t since_ns);
	/* Optional. The job has proved who it is: after connected(), later if that was early. */
	void (*proven)(void *owner);
};

struct client_config {
	uv_loop_t *loop;
	const char *name;	    /* of the job, for messages: "job-7" */
	const char *endpoint;	    /* path of endpoint.RANK.json; NULL: relays are enough */
	const char *const *refresh; /* what brings that up to date (refresher.h), or NULL */
	const struct tls_context *tls;
	const struct key_public *key; /* which the context proves; for the tickets */
	const char *tickets; /* directory, see ticket.h; NULL: none. All these are borrowed */
	unsigned int rank;   /* for the tickets */
	const struct key_public *job;	  /* the rank's key, by which relays know it */
	const struct relay_sites *relays; /* NULL: none */
	const char *login;		  /* an ssh destination that reaches the node; NULL: none */
	const char *const *through;	  /* or a program that does (path_stream.h); NULL: none */
	unsigned int paths;		  /* which kinds may be used (path_mask.h) */
	bool tells;	     /* what the connection does, for `berth get connections` */
	bool lingers;	     /* client_close() may take a second, for the next ticket to come */
	uint64_t silence_ns; /* 0: KEEPER_SILENCE */
	const struct client_ops *ops;
	void *owner;
};

/* Starts at once. */
struct client *client_new(const struct client_config *config);
/*
 * Says goodbye and gives everything back to the loop, which frees it. Not from inside a callback of
 * a stream.
 */
void client_close(struct client *client);
