/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The way through NATs of the connections that share a hub: what their agents (ice/agent.h) need of
 * the world. Candidates are the addresses of this host with the hub's port, and what relays see of
 * it; checks leave from the hub's socket; what one end has to tell the other goes over
 * `POST /punch` (wire/punch.h), on the connection that the way is for.
 *
 *	struct punches *punches = punches_new(loop, hub, err);
 *
 *	punches_observed(punches, addresses, count);	whenever a relay says so
 *
 * The workstation, as soon as the job has proved its key on a connection that goes through a relay:
 *
 *	punch = punch_request(punches, h3, &ops, me, err);
 *	...chosen(): path_punched_new(hub, remote), and attempt_move() there
 *	...lost(): back to the relay's path
 *	punch_lost(punch);	the keeper finds that way dead
 *	punch_close(punch);	before the connection is closed
 *
 * The job answers with punch_accept(), and has no more to do: what comes from the new address is
 * the old connection.
 *
 * A change of the host's addresses is noticed here, and begins a round.
 */

#include <uv.h>

#include "tunnel/h3/conn.h"
#include "tunnel/ice/agent.h"
#include "tunnel/net/hub.h"

struct punches;
struct punch;

/* Addresses that relays saw, of both families. */
#define PUNCHES_OBSERVED_MAX 8

struct punches *punches_new(uv_loop_t *loop, struct hub *hub, struct err *err) attr_must_use;
/*
 * closed (or NULL) is called once all was given back to the loop. Connections that are left look no
 * further. NULL is fine.
 */
void punches_close(struct punches *punches, void (*closed)(void *owner), void *owner);

/*
 * Where the relays see this socket now: all that are known. A relay that is on this very host shows
 * by a loopback address that peers may be there, too.
 */
void punches_observed(struct punches *punches, const struct quic_addr *seen, size_t count);

struct punch_ops {
	/* This is the way, or a better one; how is "host", "reflexive" or "peer-reflexive". */
	void (*chosen)(void *owner, const struct quic_addr *remote, const char *how,
		       uint64_t rtt_ns);
	/* The way that was chosen does not answer any more. */
	void (*lost)(void *owner);
	/* The peer does not take part, or ended it; for this connection that is all. */
	void (*over)(void *owner);
};

/*
 * Asks the job to take part. Freed with its stream: after over(), or after punch_close(). Nothing
 * is called back before the loop runs. NULL: the connection takes no request.
 */
struct punch *punch_request(struct punches *punches, struct h3_conn *conn,
			    const struct punch_ops *ops, void *owner, struct err *err)
	attr_must_use;
/* Gives it up: nothing is called back any more. NULL is fine. Not from inside its callbacks. */
void punch_close(struct punch *punch);
/* The connection finds the chosen way dead. lost() is not called for it; a round begins. */
void punch_lost(struct punch *punch);

/* The job's: takes the stream over, or rejects it; a second one of a connection, for example. */
void punch_accept(struct punches *punches, struct h3_stream *stream);
