/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The workstation's connection to a rank of a job: reads the endpoint file, races all its
 * addresses, keeps the first that proves the job's key, and looks after it until it ends.
 *
 * Racing: attempts start 50 ms apart, or as soon as the one before failed (the idea of RFC 8305).
 * An address of this very host is tried first. A job that has just started, or whose tunnel is
 * being restarted, has no endpoint file or a stale one, so that for some seconds the file is read
 * again after a failure.
 *
 * Looking after: a heartbeat of 5 s while in use and 25 s when idle; when the machine slept, its
 * address changed, or the job was silent for more than two heartbeats, the connection moves to a
 * fresh path at once, which repairs within two round trips what its backed-off timers would repair
 * in a minute. A connection whose other end is provably gone ends with an error.
 */

#include <uv.h>

#include "tunnel/h3/conn.h"
#include "tunnel/quic/conn.h"

struct client;

struct client_ops {
	/* Ready for requests. */
	void (*connected)(void *owner, struct h3_conn *conn);
	/*
	 * No connection could be made, or it is over; once, and not from inside a callback of a
	 * stream. The text begins with the job's name.
	 */
	void (*closed)(void *owner, const struct err *why);
};

struct client_config {
	uv_loop_t *loop;
	const char *name;	       /* of the job, for messages: "job-7" */
	const char *endpoint;	       /* path of endpoint.RANK.json */
	const struct tls_context *tls; /* these are borrowed */
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

/*
 * For tests: the order in which the addresses of an endpoint are tried. host is this host's name.
 */
struct endpoint;
struct addr_list;
void client_order(const struct endpoint *endpoint, const char *host, const struct addr_list *own,
		  struct addr_list *ret);
