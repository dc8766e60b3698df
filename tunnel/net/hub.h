/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * One UDP socket with several users. What a NAT remembers belongs to a socket, so that all that
 * wants the same mapping shares one: the job's server, its control connections to relays, and STUN;
 * the workstation's control connections and what it sends through relays; a relay's control
 * connections and what it forwards.
 *
 *	static const struct hub_user_ops ops = { .received = received, .write = write };
 *
 *	thing->user.ops = &ops;
 *	hub_join(hub, &thing->user);
 *	...
 *	hub_wake(&thing->user);          something is to be sent
 *	...
 *	hub_leave(&thing->user);
 *
 * Receiving. Datagrams come in runs of one peer (GRO), in which packets for several users may be
 * mixed. Each user, in the order in which they joined, is shown the run and says how many bytes at
 * its start are its own, whole datagrams; what is left of the run is shown again, and a datagram
 * that nobody wants is dropped. Tags tell users apart (quic/tag.h), and so does the first byte
 * (RFC 9443).
 *
 * Sending. Callbacks only note that there is something to send (hub_wake()). At the end of the turn
 * those that are awake are asked in rounds, a batch each, until nobody has more, the socket is
 * full, or HUB_BATCHES_MAX batches left; then the loop looks at other events. What cannot leave
 * stays, and nobody is asked until the socket has room. Timers are the users' own.
 *
 * hub_send() sends at once, between others' batches. Called by a user that is asked, it is that
 * user's turn all the same: it answers false after it, and wakes itself if there is more.
 *
 * A hub listens on a wildcard address for both families, or on the address that it is given. Its
 * users must have left before it is closed.
 */

#include "tunnel/net/udp.h"

struct hub;
struct hub_user;

/* Batches a turn, of all users together. */
#define HUB_BATCHES_MAX 16

struct hub_user_ops {
	/*
	 * How many bytes at the start of d->bytes are this user's, and were taken: whole datagrams;
	 * 0: the first one is not. Borrowed for the call.
	 */
	size_t (*received)(struct hub_user *user, const struct udp_datagrams *d);
	/*
	 * Fills *batch, of which path.remote is real, and path.local too or all zero; false:
	 * nothing to send until hub_wake(), so that it is the time to set a timer.
	 */
	bool (*write)(struct hub_user *user, struct quic_batch *batch);
	/* Optional: all that came in this turn was handed over. */
	void (*turn)(struct hub_user *user);
};

/* Embedded in what uses the hub, which sets ops before it joins. All-zero: of no hub. */
struct hub_user {
	const struct hub_user_ops *ops;
	struct hub_user *next;
	struct hub *hub;
	bool is_last; /* set before it joins, too: it is asked after all others */
	bool is_awake;
};

struct hub_config {
	uv_loop_t *loop;
	struct quic_addr listen; /* all zero: every address and any port */
};

/* ERR_EXISTS when the port is taken. */
struct hub *hub_new(const struct hub_config *config, struct err *err) attr_must_use;
/* The callback comes once the memory was freed. NULL: nothing to tell. */
void hub_close(struct hub *hub, void (*closed)(void *owner), void *owner);

/* These are allowed within callbacks, too. What is of no hub is left alone by the last two. */
void hub_join(struct hub *hub, struct hub_user *user);
void hub_leave(struct hub_user *user);
/* There may be something to write. */
void hub_wake(struct hub_user *user);

/*
 * Sends a batch now, along a path that need not be the one that it names: for a user whose packets
 * another one makes. All of it is taken. False, and nothing is, while the socket is full.
 */
bool hub_send(struct hub *hub, const struct quic_path *path, const struct quic_batch *batch);

/* A wildcard address with the port, or the one address that was asked for. */
const struct quic_addr *hub_local(const struct hub *hub);
/* The socket is full: nobody is asked until it is not. */
bool hub_is_blocked(const struct hub *hub);
