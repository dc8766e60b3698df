/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The paths that a server has beside its socket: links to relays, byte streams through a login
 * node. QUIC sees a path as a synthetic address (quic/conn.h) with the number that it has here, at
 * both ends; what it does at its lower end, a renewal or a change from UDP to TCP, does not show.
 * So an answer goes where the address says, and to nobody when that path is gone: the client comes
 * back by another one.
 */

#include "tunnel/net/path.h"
#include "tunnel/quic/server.h"

#define PATHSET_MAX 128

struct pathset_ops {
	/* What came by one, with the address that QUIC is to see. */
	void (*received)(void *owner, const struct quic_path *address,
			 const struct udp_datagrams *d);
	/* One that took nothing does now, or is gone. */
	void (*unblocked)(void *owner);
};

struct pathset {
	struct pathset_entry *first;
	size_t len;
	uint32_t numbers; /* the last one given out */
	const struct pathset_ops *ops;
	void *owner;
};

/* Closes all of them. */
void pathset_finish(struct pathset *set);

/* Takes the path, which is closed when it is over. -1: there are PATHSET_MAX. */
int pathset_add(struct pathset *set, struct path *path) attr_must_use;
/* Closes it. One that is not there is left alone. */
void pathset_remove(struct pathset *set, struct path *path);
/* By the remote address that QUIC has; NULL: none, or no longer. */
struct path *pathset_find(const struct pathset *set, const struct quic_addr *remote);

/* Who came to the other end of a path, or went; and the last ones who are there. */
void pathset_note_peer(struct pathset *set, const struct path *path, const struct quic_tag *tag,
		       bool is_here);
size_t pathset_peers(const struct pathset *set, const struct quic_addr *remote,
		     struct quic_tag ret[QUIC_SERVER_RESETS_MAX]);
