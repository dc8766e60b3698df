/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * HTTP/3 (RFC 9114) with extended CONNECT (RFC 9220) on one QUIC connection: what the rest of the
 * tunnel uses. It does no I/O and knows no clock.
 *
 *	net/ (or the simulator)                         services/, ssh/
 *	  packets, now  ->  quic/conn.h  ->  h3/conn.h  ->  h3_stream_ops
 *	  packets, deadline <-   "       <-     "       <-  h3_stream_write()
 *
 * Packets and timers go through the quic_conn that h3_conn_quic() returns (see quic/conn.h). After
 * anything was written to a stream, whoever drives the connection must send:
 * h3_conn_ops.wants_write() tells it so.
 *
 * Flow control. Sending: a stream has a send buffer; h3_stream_room() says how much fits, and
 * writable() is called when it falls under half. What was sent stays until the peer acknowledged
 * it, but only what waits to be sent counts: how much may be under way is for the congestion window
 * and the peer's credit to say. Receiving: body() hands bytes over, and the receiver calls
 * h3_stream_consumed() once it has passed them on; until then the peer's credit shrinks. That is
 * the whole back-pressure from a slow reader in the job to a fast writer on the workstation.
 *
 * Early requests (0-RTT). A client with a ticket makes requests before the handshake is complete,
 * and they reach the server in its first flight. If that did not take them, they are made again,
 * with what was written to them, and their users notice nothing; h3_conn_adopt() does the same when
 * another connection takes the place of this one. Who records a first flight can send it once more,
 * and a client cannot always know whether its early request was heard. So that none acts twice,
 * each but a GET carries an idempotency-key, which the server's h3_once_claim() (once.h) accepts
 * one time only.
 *
 * Turns. Streams share the connection by urgency (RFC 9218): a lower number goes first, equals take
 * turns packet by packet, and one that has just got something to say comes before those that always
 * have. So that a terminal with a flood of output starves nobody, an urgent stream whose backlog
 * exceeds H3_URGENT_MAX is like any other until it is short again. The client's choice travels with
 * its request (the priority field) and holds for both directions.
 */

#include <stdbool.h>

#include "init/base/cleanup.h"
#include "init/base/err.h"
#include "init/base/span.h"

struct quic_conn;
struct quic_path;
struct quic_ticket;
struct h3_conn;
struct h3_once;
struct h3_stream;
struct secret;

#define H3_FIELDS_MAX 32
/*
 * Requests that may be open at once on a connection: as many as a job serves, so that who has too
 * many is told so instead of waiting. One that is idle costs the workstation 7 KiB.
 */
#define H3_STREAMS_MAX 4096
/*
 * Bytes that wait to be sent on a stream before its room is 0; where there are many streams, less,
 * so that together they stay below H3_SEND_TOTAL.
 */
#define H3_SEND_MAX (512 * 1024)
#define H3_SEND_LEAST (64 * 1024)
#define H3_SEND_TOTAL (64 * 1024 * 1024)

/* Urgency of a stream (RFC 9218 section 4.1). */
#define H3_URGENCY_TYPED 1 /* somebody waits for each byte: a terminal */
#define H3_URGENCY_DEFAULT 3
#define H3_URGENCY_LEAST 7
#define H3_URGENT_MAX (32 * 1024) /* a stream with more to send is not urgent */

/* A request as the server sees it and the client makes it. Strings are borrowed for the call. */
struct h3_request {
	const char *method;    /* "GET", "POST", "CONNECT" */
	const char *protocol;  /* ":protocol" of an extended CONNECT (RFC 9220), or NULL */
	const char *authority; /* "127.0.0.1:8888" for a plain CONNECT; otherwise "job" */
	const char *path;      /* NULL for a plain CONNECT */
	unsigned int urgency;  /* 1 to H3_URGENCY_LEAST; 0: H3_URGENCY_DEFAULT */
};

struct h3_conn_ops {
	/*
	 * Client: the peer's key was checked and its SETTINGS arrived. Server: the handshake is
	 * complete.
	 */
	void (*ready)(struct h3_conn *conn, void *owner);
	/*
	 * Server only: a request arrived. The callee calls h3_stream_set_ops() and
	 * h3_stream_respond(), now or later, or h3_stream_reject(). The stream is valid until its
	 * closed().
	 */
	void (*request)(struct h3_conn *conn, void *owner, struct h3_stream *stream,
			const struct h3_request *request);
	/* Server, optional: the first request that waits for h3_conn_admit() arrived. */
	void (*waits)(struct h3_conn *conn, void *owner);
	/* Client: a ticket for the next connection came; borrowed. */
	void (*ticket)(struct h3_conn *conn, void *owner, const struct quic_ticket *ticket);
	/*
	 * Server, optional: the client moved, and QUIC has validated its new path (RFC 9000 section
	 * 9).
	 */
	void (*moved)(struct h3_conn *conn, void *owner, const struct quic_path *path);
	/* There may be something to send; called at most once per send. */
	void (*wants_write)(struct h3_conn *conn, void *owner);
	/*
	 * The connection is over: closed by the peer (with its reason), timed out, or refused.
	 * Every stream got its closed() before, except early requests of a client whose handshake
	 * failed: they wait for h3_conn_adopt() or h3_conn_free(). The owner frees the connection
	 * later, not from inside a callback.
	 */
	void (*closed)(struct h3_conn *conn, void *owner, const struct err *why);
};

/*
 * Callbacks of one stream; a NULL member ignores the event. user is what h3_stream_set_ops() was
 * given.
 */
struct h3_stream_ops {
	/* Client: the final response. 200 for an accepted CONNECT. */
	void (*response)(struct h3_stream *stream, void *user, int status);
	/*
	 * Body bytes, in order, borrowed for the call. Give credit back with h3_stream_consumed().
	 */
	void (*body)(struct h3_stream *stream, void *user, struct span bytes);
	/* The peer sends no more. */
	void (*end)(struct h3_stream *stream, void *user);
	/*
	 * h3_stream_room() is at least half of what it can be again, after it had been found too
	 * small.
	 */
	void (*writable)(struct h3_stream *stream, void *user);
	/*
	 * The stream is over; why is NULL after a clean end of both directions. It is freed after
	 * this returns.
	 */
	void (*closed)(struct h3_stream *stream, void *user, const struct err *why);
};

/*
 * Speaks HTTP/3 on a connection and owns it from here on: a client's from quic_conn_connect(), a
 * server's from quic_server_ops.accept(). Nothing is called back before packets are read or
 * written.
 */
struct h3_conn *h3_conn_new(struct quic_conn *quic, const struct h3_conn_ops *ops, void *owner);
/*
 * Frees it and the QUIC connection without a word to the peer; not from inside a callback of its
 * own. Streams that are still there get their closed(), as they always do.
 */
struct h3_conn *h3_conn_free(struct h3_conn *conn);
DEFINE_CLEANUP(struct h3_conn, h3_conn_free)

/*
 * Sends a request. The stream may be written to at once; the bytes follow the headers in the same
 * flight.
 */
int h3_conn_request(struct h3_conn *conn, const struct h3_request *request,
		    const struct h3_stream_ops *ops, void *user, struct h3_stream **ret,
		    struct err *err) attr_must_use;

/*
 * Closes the connection with H3_NO_ERROR; closed() follows with ERR_NONE once the close was sent.
 */
void h3_conn_close(struct h3_conn *conn);
/* The same with a reason, which closed() gives to both sides (ERR_UNAVAILABLE): 63 bytes of it. */
void h3_conn_close_because(struct h3_conn *conn, const char *reason);

/*
 * Server: tells the client to make no new requests here (GOAWAY, RFC 9114 section 5.2); those that
 * are there go on.
 */
void h3_conn_go_away(struct h3_conn *conn);

/* Gives all requests up, which get their closed() at once; the connection goes on. */
void h3_conn_abandon(struct h3_conn *conn);

/*
 * Client: takes over the requests of another connection, none of which was answered; before the
 * callbacks of `from` would end, or after it is over. It must be freed or closed at once.
 */
void h3_conn_adopt(struct h3_conn *conn, struct h3_conn *from);

/*
 * Server: where early requests are claimed, shared by all connections of a server, and borrowed.
 * Without it they are refused.
 */
void h3_conn_set_once(struct h3_conn *conn, struct h3_once *once);

/*
 * Server: requests wait, with the body that comes meanwhile, until h3_conn_admit() tells them in
 * their order. Not from inside a callback of the connection.
 */
void h3_conn_defer(struct h3_conn *conn);
void h3_conn_admit(struct h3_conn *conn);
/* Server: the peer's key is good no more. It is told so, as if it had just shown it. */
void h3_conn_refuse(struct h3_conn *conn);

struct quic_conn *h3_conn_quic(struct h3_conn *conn);
/* quic_conn_export() of the connection that the stream is on. */
int h3_stream_export(const struct h3_stream *stream, const char *label, struct secret *ret,
		     struct err *err) attr_must_use;
/* When the last packet of the peer came that sends this stream, by the clock of the packets. */
uint64_t h3_stream_heard_at(const struct h3_stream *stream);

void h3_stream_set_ops(struct h3_stream *stream, const struct h3_stream_ops *ops, void *user);

/* Server: 2xx opens the stream in both directions. */
void h3_stream_respond(struct h3_stream *stream, int status);
/*
 * Server: answers with the status that the error's kind stands for, its text as a plain-text body,
 * and ends.
 */
void h3_stream_reject(struct h3_stream *stream, const struct err *why);

/*
 * Which streams go first in what we send, when that turns out later than with the request: 0 to
 * H3_URGENCY_LEAST.
 */
void h3_stream_set_urgency(struct h3_stream *stream, unsigned int urgency);

/* How many bytes h3_stream_write() takes now. */
size_t h3_stream_room(struct h3_stream *stream);

/*
 * Appends to the send buffer. To avoid a copy, h3_stream_reserve() lends memory inside the send
 * buffer (at least 1, at most want bytes; empty when there is no room) and h3_stream_commit()
 * claims what was filled; nothing else may be done with the stream in between.
 */
struct h3_space {
	uint8_t *ptr;
	size_t len;
};
bool h3_stream_write(struct h3_stream *stream, struct span bytes) attr_must_use; /* all, or false */
struct h3_space h3_stream_reserve(struct h3_stream *stream, size_t want);
void h3_stream_commit(struct h3_stream *stream, size_t len);

/* No more will be written; what is in the buffer is still delivered. */
void h3_stream_end(struct h3_stream *stream);

/* Abandons both directions (H3_REQUEST_CANCELLED); closed() follows. */
void h3_stream_reset(struct h3_stream *stream);

/* The receiver passed len bytes of body on: the peer may send as many more. */
void h3_stream_consumed(struct h3_stream *stream, size_t len);
