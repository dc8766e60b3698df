/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What runs on a QUIC connection: the streams' side of quic/conn.h, used by h3/. Streams are
 * numbers here (RFC 9000 section 2.1); who they belong to is the application's business.
 *
 * Sending is pulled: while a packet is built, next() says which stream goes next and lends its
 * bytes, and sent() says how many went into the packet. Lent bytes stay where they are until
 * acked(). Between next() and after() nothing else may be asked of the connection, because the
 * packet is half built.
 *
 * Receiving is pushed by data(); each byte of it must be given back with quic_conn_extend_stream()
 * and quic_conn_extend_conn(), at once or later, or the peer runs out of credit.
 */

#include "tunnel/quic/conn.h"

#define QUIC_SEND_VECS 8

struct quic_vec {
	uint8_t *base;
	size_t len;
};

struct quic_send {
	int64_t stream;
	bool fin;
	struct quic_vec vec[QUIC_SEND_VECS];
	size_t vec_len;
};

/* Functions that return int: 0, or -1 after quic_conn_close(), which ends the connection. */
struct quic_app_ops {
	/*
	 * Streams can be opened and written (a server's before the client proved its key). Not
	 * called when quic_conn_is_early(): then they can from the beginning.
	 */
	int (*writable)(void *app);
	/*
	 * The server did not take the early data: the streams are gone, and what was sent on them
	 * was not heard. writable() or ready() follow as without early data.
	 */
	int (*rejected)(void *app);
	/* A ticket came; borrowed. */
	void (*ticket)(void *app, const struct quic_ticket *ticket);
	/* The handshake is complete and the peer's key was checked. */
	int (*ready)(void *app);

	int (*data)(void *app, int64_t stream, struct span bytes, bool fin, uint64_t now);
	/* The peer sends no more (RESET_STREAM). */
	int (*reset)(void *app, int64_t stream, uint64_t code);
	/* The peer reads no more (STOP_SENDING). */
	int (*stopped)(void *app, int64_t stream, uint64_t code);
	/* Both directions are over; has_code: at least one of them by a reset. */
	int (*closed_stream)(void *app, int64_t stream, bool has_code, uint64_t code);
	/* The peer acknowledged so many bytes more, in order. */
	int (*acked)(void *app, int64_t stream, uint64_t len);
	/* The peer granted credit to a stream that blocked() was called for. */
	int (*unblocked)(void *app, int64_t stream);
	/* The peer allows more streams of ours. */
	int (*more_streams)(void *app);

	/* Optional. A server's client has another path, which was validated. */
	void (*moved)(void *app, const struct quic_path *path);

	/* 1: *send is filled; 0: nothing to send. */
	int (*next)(void *app, struct quic_send *send);
	int (*sent)(void *app, int64_t stream, size_t len);
	/* The stream lacks the peer's credit. */
	void (*blocked)(void *app, int64_t stream);
	/* The stream cannot be written any more. */
	void (*shut)(void *app, int64_t stream);

	/* A read, a write or an expiry is complete: the connection may be asked anything again. */
	void (*after)(void *app);
	void (*wants_write)(void *app);
	/* The connection is over; called once, last. */
	void (*over)(void *app, const struct err *why);
};

void quic_conn_set_app(struct quic_conn *conn, const struct quic_app_ops *ops, void *app);
bool quic_conn_is_server(const struct quic_conn *conn);
/* Ends it with the alert that refuses a key, whenever that turns out. */
void quic_conn_refuse(struct quic_conn *conn);

/* There is something to send. */
void quic_conn_wants_write(struct quic_conn *conn);
/* Credit was given (the extend functions below), which may wait a moment for more to send. */
void quic_conn_owes_credit(struct quic_conn *conn);

/* A new stream of ours; false while the peer allows none. */
bool quic_conn_open_bidi(struct quic_conn *conn, int64_t *ret) attr_must_use;
bool quic_conn_open_uni(struct quic_conn *conn, int64_t *ret) attr_must_use;

void quic_conn_extend_stream(struct quic_conn *conn, int64_t stream, size_t len);
void quic_conn_extend_conn(struct quic_conn *conn, size_t len);
/* The peer may open one bidirectional stream more, because one is over. */
void quic_conn_extend_streams(struct quic_conn *conn);

/* RESET_STREAM and STOP_SENDING, or only one of them. */
enum quic_shutdown { QUIC_SHUTDOWN_BOTH, QUIC_SHUTDOWN_READ, QUIC_SHUTDOWN_WRITE };
void quic_conn_shutdown_stream(struct quic_conn *conn, int64_t stream, enum quic_shutdown how,
			       uint64_t code);

/*
 * Ends the connection with an application error code: CONNECTION_CLOSE is written next, over()
 * follows with a copy of
 * *why. Of several calls the first counts.
 */
void quic_conn_close(struct quic_conn *conn, uint64_t code, const struct err *why);

/* Unpredictable bytes. */
void quic_random(uint8_t *ret, size_t len);
