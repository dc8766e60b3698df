/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the files of this folder share. Users' callbacks run in two places only: while a packet is
 * read, and in after(), when a read, a write or an expiry is complete. While a packet is built,
 * streams that have something to tell are put on the conn's wake list instead, because ngtcp2 must
 * not be asked anything until the packet is done.
 */

#include <nghttp3/nghttp3.h>

#include "init/base/buf.h"
#include "tunnel/h3/conn.h"
#include "tunnel/h3/fields.h"
#include "tunnel/h3/once.h"
#include "tunnel/h3/send.h"
#include "tunnel/quic/app.h"

struct h3_stream {
	struct h3_conn *conn;
	struct h3_stream *prev, *next; /* of all streams */
	struct h3_stream *wake_next;
	int64_t id; /* -1: waits until it may be opened */
	const struct h3_stream_ops *ops;
	void *user;
	struct h3_fields fields; /* of the request; a client's are replaced by the response's */
	bool is_refused;	 /* the fields were; why says what is wrong with them */
	bool is_submitted;	 /* nghttp3 takes our bytes */
	bool is_parked;		 /* nghttp3 waits for more bytes of ours */
	bool is_starved;	 /* the user wants to write more than there is room for */
	bool is_waking;		 /* on the wake list */
	bool is_ended;		 /* by us: no more will be written */
	bool is_stopped;	 /* the peer reads no more: what is written goes nowhere */
	bool is_reset;		 /* by us: only closed() follows */
	bool peer_ended, end_told;
	bool is_deferred; /* the request was not told yet */
	struct err why;
	struct h3_send send;
	struct buf inbox;		   /* body that came before there was anyone to take it */
	size_t unconsumed;		   /* body handed out and not yet consumed */
	unsigned int urgency, urgency_now; /* asked for, and in force: see urgency.c */
	struct h3_stream *held_next;
	bool is_held;
	char once[H3_ONCE_TEXT_MAX]; /* the idempotency-key of a client's early request, or "" */
};

struct h3_conn {
	struct quic_conn *quic;
	nghttp3_conn *http;
	const struct h3_conn_ops *ops;
	void *owner;
	struct h3_stream *streams;
	size_t stream_count;
	size_t waiting; /* of these, not open yet */
	struct h3_stream *wake_first, *wake_last;
	struct h3_pool pool;
	struct h3_once *once;
	struct err why; /* of its end */
	bool is_server;
	bool is_early; /* a client's: requests need not wait */
	bool handshake_done, settings_came, is_over;
	bool write_asked;
	bool defers;	   /* requests wait for h3_conn_admit() */
	size_t unconsumed; /* of all streams */
	bool is_urgent;	   /* a client's urgent stream got something to say */
	struct h3_stream *held;
};

extern const struct quic_app_ops h3_app_ops;
extern const nghttp3_callbacks h3_http_callbacks;

/* Ends the connection because of an error of nghttp3; returns -1. */
int h3_conn_fail(struct h3_conn *conn, int code, const char *what);
struct h3_stream *h3_conn_find(const struct h3_conn *conn, int64_t id);
void h3_conn_make_http(struct h3_conn *conn);
/* early.c: the requests are to be made again. */
int h3_early_rejected(void *app);
/* Over without ever having been ready: its early requests wait for another connection. */
bool h3_conn_is_holding(const struct h3_conn *conn);
/* Opens what may be opened now. */
int h3_conn_open_waiting(struct h3_conn *conn);
void h3_conn_wake(struct h3_conn *conn);

struct h3_stream *h3_stream_new(struct h3_conn *conn);
void h3_stream_free(struct h3_stream *stream);
/* Puts it at the head of a connection's list. */
void h3_stream_join(struct h3_stream *stream, struct h3_conn *conn);
void h3_stream_leave(struct h3_stream *stream);
void h3_stream_wake_later(struct h3_stream *stream);
void h3_stream_wake(struct h3_stream *stream);
/* Tells the user and frees it. */
void h3_stream_finish(struct h3_stream *stream, const struct err *why);
/* Abandons it with an HTTP/3 error code. */
void h3_stream_abort(struct h3_stream *stream, uint64_t code, const struct err *why);
void h3_stream_stop(struct h3_stream *stream);
int h3_stream_submit_request(struct h3_stream *stream) attr_must_use;
/* Body of the peer. */
void h3_stream_receive(struct h3_stream *stream, struct span bytes);
/* No more body, or no interest in what came: the peer's credit is given back. */
void h3_stream_release(struct h3_stream *stream, size_t len);
bool h3_stream_is_pending(const struct h3_stream *stream);

/* admit.c: the request is told later. */
void h3_stream_defer(struct h3_stream *stream);

/* urgency.c: the stream has something new to send; and, which one goes next. */
void h3_urgency_note(struct h3_stream *stream);
nghttp3_ssize h3_urgency_next(struct h3_conn *conn, int64_t *ret_id, int *ret_fin, nghttp3_vec *vec,
			      size_t vec_max);
/* The stream is about to be freed, or closed in nghttp3. */
void h3_urgency_forget(struct h3_stream *stream);
/* What a client asked for: taken over by the server. */
void h3_urgency_take(struct h3_stream *stream);
