/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The job's side of the network: all connections of the workstation, by one UDP socket (hub.h) and
 * by any number of paths beside it (path.h: links to relays, byte streams through a login node). It
 * sends for all of them at the end of each turn of the loop and hands every request over.
 *
 * Of what comes to the socket it takes what nobody else wants. A connection belongs to no path: its
 * client comes by this one or that one, and the answer goes where the last packet came from. QUIC
 * sees a path as a synthetic address; see conn.h and quic/path.c. A path that takes nothing delays
 * those who are on it, and nobody else.
 */

#include <uv.h>

#include "tunnel/h3/conn.h"
#include "tunnel/net/hub.h"
#include "tunnel/net/path.h"
#include "tunnel/quic/conn.h"

struct server;

struct server_ops {
	/* See h3_conn_ops.request. */
	void (*request)(void *owner, struct h3_stream *stream, const struct h3_request *request);
	/*
	 * Optional. A client proved its key: the requests of its connection wait until
	 * server_admit() is called with at least the number that this returns. 0: they need not.
	 */
	uint64_t (*arrived)(void *owner);
	/* Optional. A client showed a key that is not accepted. */
	void (*stranger)(void *owner);
};

struct server_config {
	uv_loop_t *loop;
	struct hub *hub;	       /* borrowed; must outlive the server */
	const struct tls_context *tls; /* borrowed; must outlive the server */
	const struct secret *reset_key;
	struct quic_tag tag; /* what its ids begin with */
	struct quic_settings settings;
	/*
	 * So many connections at once. When an eighth of them is left, and another client has
	 * proven its key, one that was silent for silent_ns ends, the most silent first. 0:
	 * sensible values.
	 */
	size_t connections;
	uint64_t silent_ns;
	const struct server_ops *ops;
	void *owner;
};

struct server *server_new(const struct server_config *config, struct err *err) attr_must_use;

/*
 * Packets of this path reach the same connections. 0, and the server uses it, and closes it when it
 * is over or the server ends; -1 when there are PATHSET_MAX (pathset.h), or the server ends.
 */
int server_add_path(struct server *server, struct path *path) attr_must_use;
/* Closes it, too. One that is not there is left alone. */
void server_remove_path(struct server *server, struct path *path);
/*
 * Who is at the other end of a path that a relay makes: what a restarted server has to tell the
 * clients of its predecessor finds them by their tags only.
 */
void server_path_peer(struct server *server, const struct path *path, const struct quic_tag *tag,
		      bool is_here);

/* A connection whose handshake is complete. */
struct server_entry {
	unsigned int id;
	double since; /* seconds since the epoch */
	enum path_kind kind;
	char remote[PATH_TEXT_MAX]; /* an address, or the path that it comes by */
	struct quic_stats stats;
};

/* At most max of them; returns how many. */
size_t server_list(const struct server *server, struct server_entry *ret, size_t max);

/* How many connections there are; 0 while it closes. */
size_t server_count(const struct server *server);

/* The connections whose arrival got this number, or a lower one, may ask for things. */
void server_admit(struct server *server, uint64_t serial);

/* Ends the connections whose key is accepted no more; new ones may come. */
void server_drop(struct server *server);

/*
 * Ends all connections politely, with a reason if there is one; the callback comes once no stream
 * is left, and the server frees itself after it.
 */
void server_close(struct server *server, const char *reason, void (*closed)(void *owner));
