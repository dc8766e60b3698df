/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The server side of one UDP socket: finds the connection that a datagram is for, or makes one;
 * answers what needs no connection (version negotiation, Retry, stateless reset); and drives all
 * connections as one object, so that whoever owns the socket only moves datagrams.
 *
 *	for each datagram received:  quic_server_read(server, &path, ecn, bytes, now);
 *	when the deadline passed:    quic_server_expire(server, now);
 *	then, and whenever h3_conn_ops.wants_write() was called for one of its connections:
 *	        while (quic_server_write(server, &batch, now))
 *	                ...send it
 *	        ...arm the timer for quic_server_deadline(server)
 *
 * accept() is called for a new connection, before its first packet is processed; the callee makes
 * an h3_conn of it and later frees that (the server never frees a connection by itself):
 *
 *	static void accept(void *owner, struct quic_conn *conn)
 *	{
 *		struct h3_conn *h3 = h3_conn_new(conn, &h3_ops, owner);
 *		...
 *
 * Limits. An address that was not validated gets at most three times what it sent (RFC 9000 section
 * 8). When QUIC_SERVER_HANDSHAKES_MAX handshakes are under way, further clients must first return a
 * Retry token; above conns_max connections they are refused. Stateless resets and the
 * like leave through a short queue and are dropped when it is full. A reset is shorter than the
 * packet that caused it, so that two servers cannot play ping-pong.
 *
 * A restarted server that was given the same reset key tells the clients of its predecessor within
 * one round trip that their session is gone (RFC 9000 section 10.3). A relay forwards by tags, and
 * a reset has no id: behind one it gets the client's tag where its id would be, and stays random
 * enough.
 *
 * What a datagram costs does not depend on how many connections there are: those that want to write
 * are in a queue, and deadlines in a heap.
 */

#include "tunnel/quic/conn.h"

struct quic_server;

#define QUIC_SERVER_CONNS_MAX 256
#define QUIC_SERVER_HANDSHAKES_MAX 32

#define QUIC_SERVER_RESETS_MAX 8

struct quic_server_ops {
	void (*accept)(void *owner, struct quic_conn *conn);
	/*
	 * Optional. Whether a path takes nothing now: its connections are not asked for packets
	 * until quic_server_unblock().
	 */
	bool (*is_blocked)(void *owner, const struct quic_path *path);
	/*
	 * Optional. Whom a stateless reset on this path may be for: behind a relay, one is sent to
	 * each, since only they know whose it is. 0: it needs no tag. At most
	 * QUIC_SERVER_RESETS_MAX.
	 */
	size_t (*peers)(void *owner, const struct quic_path *path,
			struct quic_tag ret[QUIC_SERVER_RESETS_MAX]);
};

struct quic_server_config {
	const struct tls_context *tls;	/* TLS_SERVER; borrowed */
	const struct secret *reset_key; /* copied; key_derive(secret, "berth reset RANK") */
	const struct secret *retry_key; /* of Retry tokens; copied. NULL: random */
	const struct quic_tag *tag;	/* what its ids begin with; NULL: random. Copied */
	struct quic_settings settings;
	size_t conns_max; /* 0: QUIC_SERVER_CONNS_MAX */
	const struct quic_server_ops *ops;
	void *owner;
};

struct quic_server *quic_server_new(const struct quic_server_config *config, struct err *err)
	attr_must_use;
/* All its connections must have been freed before. */
struct quic_server *quic_server_free(struct quic_server *server);
DEFINE_CLEANUP(struct quic_server, quic_server_free)

void quic_server_read(struct quic_server *server, const struct quic_path *path, uint8_t ecn,
		      struct span packet, uint64_t now);
bool quic_server_write(struct quic_server *server, struct quic_batch *batch, uint64_t now)
	attr_must_use;
/* Some path takes packets again. */
void quic_server_unblock(struct quic_server *server);
uint64_t quic_server_deadline(const struct quic_server *server);
void quic_server_expire(struct quic_server *server, uint64_t now);

/* Further connections than so many are refused from now on; those that there are stay. */
void quic_server_set_conns_max(struct quic_server *server, size_t conns_max);

/* How many connections exist, and how many of them are still in their handshake. */
size_t quic_server_count(const struct quic_server *server);
size_t quic_server_handshakes(const struct quic_server *server);
