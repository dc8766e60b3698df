/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A route is what a server's connection ids lead to: a connection, or, for a short while after it
 * was freed, the memory of it. RFC 9000 section 10.2 asks for three PTO of that: a peer that did
 * not hear our CONNECTION_CLOSE is told again (ever less often), and late packets of a closed
 * connection do not look like those of an unknown one.
 */

#include "tunnel/quic/deadlines.h"
#include "tunnel/quic/internal.h"
#include "tunnel/quic/server.h"

/* The client's first id, those it may use, and those it is retiring. */
#define ROUTE_CIDS_MAX 24

struct quic_route {
	struct quic_server *server;
	struct quic_conn *conn; /* NULL: only remembered */
	struct deadline deadline;
	struct quic_queue *queue; /* the one it is in; NULL: none */
	struct quic_route *next, *previous;
	struct quic_route *next_due; /* while timers are looked at */
	size_t cid_count;
	ngtcp2_cid cids[ROUTE_CIDS_MAX];
	bool in_handshake;

	/* Once the connection is gone: */
	unsigned int heard; /* packets that came since */
	size_t close_len;   /* 0: the peer closed, there is nothing to tell it */
	uint8_t *close_packet;
};

/* A datagram that belongs to no connection. */
struct quic_reply {
	struct quic_path path;
	size_t len;
	uint8_t bytes[QUIC_CLOSE_PACKET_MAX];
};

#define REPLIES_MAX 16

/* Routes, in the order in which they came. */
struct quic_queue {
	struct quic_route *first, *last;
	size_t len;
};

struct quic_server {
	const struct tls_context *tls;
	struct secret reset_key, retry_key;
	bool has_tag;
	struct quic_tag tag;
	struct quic_settings settings;
	const struct quic_server_ops *ops;
	void *owner;
	struct quic_cids *cids;
	struct deadlines deadlines; /* of every route */
	/* Those that want to write, and those of them whose path takes nothing now. */
	struct quic_queue ready, blocked;
	size_t conns, conns_max, handshakes;
	struct quic_reply replies[REPLIES_MAX];
	size_t reply_first, reply_count;
};

/* From whatever queue it is in to the end of this one; NULL: to none. */
void quic_route_enqueue(struct quic_route *route, struct quic_queue *queue);
/* What happened to its connection may have moved its deadline. */
void quic_route_schedule(struct quic_route *route, uint64_t now);

struct quic_route *quic_route_new(struct quic_server *server);
/* Forgets it at once. Its connection must be gone. */
void quic_route_free(struct quic_route *route);
/* A packet for a connection that is gone. */
void quic_route_remind(struct quic_route *route, const struct quic_path *path);

/* reply.c: each queues one datagram, or does nothing when the queue is full. */
void quic_reply(struct quic_server *server, const struct quic_path *path, struct span bytes);
void quic_reply_version(struct quic_server *server, const struct quic_path *path,
			const ngtcp2_version_cid *from);
void quic_reply_reset(struct quic_server *server, const struct quic_path *path, struct span packet);
void quic_reply_retry(struct quic_server *server, const struct quic_path *path,
		      const ngtcp2_pkt_hd *hd, uint64_t now);
void quic_reply_refuse(struct quic_server *server, const struct quic_path *path,
		       const ngtcp2_pkt_hd *hd, uint64_t code);
bool quic_reply_write(struct quic_server *server, struct quic_batch *batch) attr_must_use;
/*
 * Whether hd carries a token of ours for this address; *ret_original is the id that the client
 * began with.
 */
bool quic_retry_verify(struct quic_server *server, const struct quic_path *path,
		       const ngtcp2_pkt_hd *hd, uint64_t now, ngtcp2_cid *ret_original)
	attr_must_use;
