/* SPDX-License-Identifier: MIT */
/* One request and its response; see conn.h. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "init/base/alloc.h"
#include "tunnel/h3/internal.h"

/*
 * Body that comes before the server's user has set its callbacks; the peer's first credit is 1 MiB.
 */
#define INBOX_MAX (1024 * 1024)

/*
 * So much unconsumed body of a connection does not count against the connection's credit: a few
 * streams whose readers sleep shall not stop the others. Beyond it, they do, and memory is bounded.
 */
#define UNCONSUMED_FREE (32 * 1024 * 1024)

struct h3_stream *h3_stream_new(struct h3_conn *conn)
{
	struct h3_stream *stream = new_zero(struct h3_stream);

	stream->id = -1;
	stream->urgency = stream->urgency_now = H3_URGENCY_DEFAULT;
	h3_send_init(&stream->send, &conn->pool);
	buf_init(&stream->inbox, INBOX_MAX);
	h3_stream_join(stream, conn);
	return stream;
}

bool h3_stream_is_pending(const struct h3_stream *stream)
{
	return stream->id < 0 && !stream->is_reset;
}

static void leave_wake_list(struct h3_stream *stream)
{
	struct h3_conn *conn = stream->conn;
	struct h3_stream **at = &conn->wake_first, *before = NULL;

	if (!stream->is_waking)
		return;
	while (*at != stream) {
		before = *at;
		at = &before->wake_next;
	}
	*at = stream->wake_next;
	if (conn->wake_last == stream)
		conn->wake_last = before;
	stream->wake_next = NULL;
	stream->is_waking = false;
}

void h3_stream_join(struct h3_stream *stream, struct h3_conn *conn)
{
	stream->conn = conn;
	stream->send.pool = &conn->pool;
	stream->prev = NULL;
	stream->next = conn->streams;
	if (stream->next)
		stream->next->prev = stream;
	conn->streams = stream;
	conn->stream_count++;
}

void h3_stream_leave(struct h3_stream *stream)
{
	stream->conn->stream_count--;
	leave_wake_list(stream);
	h3_urgency_forget(stream);
	if (stream->prev)
		stream->prev->next = stream->next;
	else
		stream->conn->streams = stream->next;
	if (stream->next)
		stream->next->prev = stream->prev;
}

void h3_stream_free(struct h3_stream *stream)
{
	struct h3_conn *conn = stream->conn;

	h3_stream_leave(stream);
	if (h3_stream_is_pending(stream))
		conn->waiting--;
	h3_send_finish(&stream->send);
	buf_finish(&stream->inbox);
	h3_fields_finish(&stream->fields);
	free(stream);
}

/* How much of what is unconsumed is kept from the connection's credit. */
static size_t withheld(size_t unconsumed)
{
	return unconsumed > UNCONSUMED_FREE ? unconsumed - UNCONSUMED_FREE : 0;
}

static void count_received(struct h3_stream *stream, size_t len)
{
	struct h3_conn *conn = stream->conn;
	size_t before = withheld(conn->unconsumed);

	stream->unconsumed += len;
	conn->unconsumed += len;
	quic_conn_extend_conn(conn->quic, len - (withheld(conn->unconsumed) - before));
}

static void count_consumed(struct h3_stream *stream, size_t len)
{
	struct h3_conn *conn = stream->conn;
	size_t before = withheld(conn->unconsumed);

	assert(len <= stream->unconsumed);
	stream->unconsumed -= len;
	conn->unconsumed -= len;
	if (before > withheld(conn->unconsumed))
		quic_conn_extend_conn(conn->quic, before - withheld(conn->unconsumed));
}

void h3_stream_release(struct h3_stream *stream, size_t len)
{
	count_consumed(stream, len);
	if (stream->id >= 0 && !stream->peer_ended)
		quic_conn_extend_stream(stream->conn->quic, stream->id, len);
}

void h3_stream_consumed(struct h3_stream *stream, size_t len)
{
	if (len == 0)
		return;
	h3_stream_release(stream, len);
	quic_conn_owes_credit(stream->conn->quic);
}

void h3_stream_wake_later(struct h3_stream *stream)
{
	struct h3_conn *conn = stream->conn;

	if (stream->is_waking)
		return;
	stream->is_waking = true;
	if (conn->wake_last)
		conn->wake_last->wake_next = stream;
	else
		conn->wake_first = stream;
	conn->wake_last = stream;
}

static void tell_body(struct h3_stream *stream)
{
	cleanup(buf_finish) struct buf held = stream->inbox;

	/* The callee may cause more to be told: what is told now leaves the stream first. */
	buf_init(&stream->inbox, INBOX_MAX);
	if (stream->ops->body)
		stream->ops->body(stream, stream->user, buf_span(&held));
	else
		h3_stream_consumed(stream, buf_len(&held));
}

static void tell_received(struct h3_stream *stream)
{
	if (stream->is_reset || !stream->ops)
		return;
	if (buf_len(&stream->inbox) > 0)
		tell_body(stream);
	if (stream->peer_ended && !stream->end_told && !stream->is_reset) {
		stream->end_told = true;
		if (stream->ops->end)
			stream->ops->end(stream, stream->user);
	}
}

static size_t send_max(const struct h3_stream *stream)
{
	size_t share = H3_SEND_TOTAL / MAX(stream->conn->stream_count, (size_t)1);

	return MAX(MIN(share, (size_t)H3_SEND_MAX), (size_t)H3_SEND_LEAST);
}

/* Tells what is due. Nothing frees the stream meanwhile: closed() comes from elsewhere. */
void h3_stream_wake(struct h3_stream *stream)
{
	leave_wake_list(stream);
	tell_received(stream);
	if (!stream->is_starved || stream->is_ended || stream->is_reset || !stream->ops ||
	    stream->send.waiting > send_max(stream) / 2)
		return;
	stream->is_starved = false;
	if (stream->ops->writable)
		stream->ops->writable(stream, stream->user);
}

void h3_stream_finish(struct h3_stream *stream, const struct err *why)
{
	/* What came before a clean end is still the user's. */
	if (!why)
		tell_received(stream);
	if (stream->unconsumed)
		count_consumed(stream, stream->unconsumed);
	if (stream->ops && stream->ops->closed)
		stream->ops->closed(stream, stream->user, why);
	h3_stream_free(stream);
}

void h3_conn_wake(struct h3_conn *conn)
{
	while (conn->wake_first) {
		struct h3_stream *stream = conn->wake_first;

		/* One that was given up before it was opened: nobody else will end it. */
		if (stream->id < 0 && stream->is_reset)
			h3_stream_finish(stream, &stream->why);
		else
			h3_stream_wake(stream);
	}
}

void h3_stream_receive(struct h3_stream *stream, struct span bytes)
{
	struct err why;

	count_received(stream, bytes.len);
	if (stream->is_reset) {
		h3_stream_release(stream, bytes.len);
	} else if (!stream->ops || buf_len(&stream->inbox) > 0) {
		if (!buf_append_span(&stream->inbox, bytes)) {
			err_set(&why, ERR_LIMIT, "more body than credit");
			h3_stream_abort(stream, NGHTTP3_H3_EXCESSIVE_LOAD, &why);
		}
	} else if (stream->ops->body) {
		stream->ops->body(stream, stream->user, bytes);
	} else {
		h3_stream_release(stream, bytes.len);
	}
}

void h3_stream_set_ops(struct h3_stream *stream, const struct h3_stream_ops *ops, void *user)
{
	stream->ops = ops;
	stream->user = user;
	if (buf_len(&stream->inbox) > 0 || (stream->peer_ended && !stream->end_told)) {
		h3_stream_wake_later(stream);
		quic_conn_wants_write(stream->conn->quic);
	}
}

/*
 * nghttp3 asks for body: lends it all that waits, in as many pieces as it takes, as one DATA frame.
 */
static nghttp3_ssize read_data(nghttp3_conn *http, int64_t id, nghttp3_vec *vec, size_t vec_max,
			       uint32_t *flags, void *user, void *stream_user)
{
	struct h3_stream *stream = stream_user;
	size_t count = 0;

	(void)http;
	(void)id;
	(void)user;
	while (count < vec_max && stream->send.waiting > 0) {
		struct span piece = h3_send_lend(&stream->send);

		/* nghttp3's vectors are not const, but it only reads through them. */
		vec[count++] =
			(nghttp3_vec){ .base = (uint8_t *)(uintptr_t)piece.ptr, .len = piece.len };
	}
	if (stream->is_starved && stream->send.waiting <= send_max(stream) / 2)
		h3_stream_wake_later(stream);
	if (stream->is_ended && stream->send.waiting == 0) {
		*flags |= NGHTTP3_DATA_FLAG_EOF;
	} else if (count == 0) {
		stream->is_parked = true;
		return NGHTTP3_ERR_WOULDBLOCK;
	}
	return (nghttp3_ssize)count;
}

static nghttp3_nv field(const char *name, const char *value)
{
	return (nghttp3_nv){
		.name = (uint8_t *)(uintptr_t)name,
		.namelen = strlen(name),
		.value = (uint8_t *)(uintptr_t)value,
		.valuelen = strlen(value),
	};
}

int h3_stream_submit_request(struct h3_stream *stream)
{
	static const nghttp3_data_reader reader = { .read_data = read_data };
	const struct h3_fields *fields = &stream->fields;
	nghttp3_nv nv[8];
	char priority[16];
	size_t count = 0;
	int rv;

	/*
	 * Pseudo-header fields come first (RFC 9114 section 4.3); a plain CONNECT has no scheme and
	 * no path.
	 */
	nv[count++] = field(":method", fields->method);
	if (fields->protocol)
		nv[count++] = field(":protocol", fields->protocol);
	if (fields->path)
		nv[count++] = field(":scheme", "https");
	if (fields->authority)
		nv[count++] = field(":authority", fields->authority);
	if (fields->path)
		nv[count++] = field(":path", fields->path);
	if (fields->protocol)
		nv[count++] = field("capsule-protocol", "?1");
	/*
	 * Incremental (RFC 9218): streams share the way back; otherwise one is served to its end
	 * before the next.
	 */
	snprintf(priority, sizeof(priority), "u=%u, i", stream->urgency);
	nv[count++] = field("priority", priority);
	if (*stream->once)
		nv[count++] = field("idempotency-key", stream->once);
	rv = nghttp3_conn_submit_request(stream->conn->http, stream->id, nv, count, &reader,
					 stream);
	if (rv != 0)
		return h3_conn_fail(stream->conn, rv, "request");
	stream->is_submitted = true;
	return 0;
}

static void submit_response(struct h3_stream *stream, int status, bool is_text)
{
	static const nghttp3_data_reader reader = { .read_data = read_data };
	char number[4];
	nghttp3_nv nv[2];
	size_t count = 0;
	int rv;

	assert(stream->conn->is_server && status >= 200 && status <= 999);
	if (stream->is_submitted || stream->is_reset || stream->is_stopped)
		return;
	snprintf(number, sizeof(number), "%d", status);
	nv[count++] = field(":status", number);
	if (is_text)
		nv[count++] = field("content-type", "text/plain; charset=utf-8");
	rv = nghttp3_conn_submit_response(stream->conn->http, stream->id, nv, count, &reader);
	if (rv != 0) {
		h3_conn_fail(stream->conn, rv, "response");
		return;
	}
	stream->is_submitted = true;
	quic_conn_wants_write(stream->conn->quic);
}

void h3_stream_respond(struct h3_stream *stream, int status)
{
	submit_response(stream, status, false);
}

/* There are bytes, or an end, that nghttp3 does not know of. */
static void resume(struct h3_stream *stream)
{
	if (stream->is_parked) {
		stream->is_parked = false;
		nghttp3_conn_resume_stream(stream->conn->http, stream->id);
	}
	h3_urgency_note(stream);
	quic_conn_wants_write(stream->conn->quic);
}

/* Whether what is written will reach nobody, so that it need not be kept. */
static bool is_void(const struct h3_stream *stream)
{
	return stream->is_stopped || stream->is_reset;
}

size_t h3_stream_room(struct h3_stream *stream)
{
	size_t waiting = stream->send.waiting, max = send_max(stream);

	if (stream->is_ended)
		return 0;
	if (is_void(stream))
		return H3_SEND_MAX;
	if (waiting > max / 2)
		stream->is_starved = true;
	return waiting < max ? max - waiting : 0;
}

bool h3_stream_write(struct h3_stream *stream, struct span bytes)
{
	if (is_void(stream))
		return true;
	if (bytes.len > h3_stream_room(stream)) {
		stream->is_starved = true;
		return false;
	}
	h3_send_append(&stream->send, bytes);
	resume(stream);
	return true;
}

struct h3_space h3_stream_reserve(struct h3_stream *stream, size_t want)
{
	size_t room = MIN(want, h3_stream_room(stream));
	struct h3_space space = { 0 };

	if (room > 0)
		space.ptr = h3_send_reserve(&stream->send, room, &space.len);
	return space;
}

void h3_stream_commit(struct h3_stream *stream, size_t len)
{
	if (is_void(stream) || len == 0)
		return;
	h3_send_commit(&stream->send, len);
	resume(stream);
}

void h3_stream_end(struct h3_stream *stream)
{
	if (stream->is_ended)
		return;
	stream->is_ended = true;
	resume(stream);
}

void h3_stream_reject(struct h3_stream *stream, const struct err *why)
{
	static const struct h3_stream_ops nobody = { 0 };

	submit_response(stream, err_http_status(why), true);
	if (!is_void(stream)) {
		h3_send_append(&stream->send, span_of_str(why->text));
		h3_send_append(&stream->send, span_of_str("\n"));
	}
	h3_stream_end(stream);
	h3_stream_set_ops(stream, &nobody, NULL);
	if (!stream->peer_ended)
		quic_conn_shutdown_stream(stream->conn->quic, stream->id, QUIC_SHUTDOWN_READ,
					  NGHTTP3_H3_NO_ERROR);
}

void h3_stream_stop(struct h3_stream *stream)
{
	stream->is_stopped = true;
	if (stream->id >= 0)
		nghttp3_conn_shutdown_stream_write(stream->conn->http, stream->id);
}

void h3_stream_abort(struct h3_stream *stream, uint64_t code, const struct err *why)
{
	if (stream->is_reset)
		return;
	stream->why = *why;
	if (stream->id < 0) {
		stream->conn->waiting--;
		stream->is_reset = true;
		h3_stream_wake_later(stream);
		quic_conn_wants_write(stream->conn->quic);
		return;
	}
	h3_stream_stop(stream);
	stream->is_reset = true;
	quic_conn_shutdown_stream(stream->conn->quic, stream->id, QUIC_SHUTDOWN_BOTH, code);
}

void h3_stream_reset(struct h3_stream *stream)
{
	struct err why;

	err_set(&why, ERR_UNAVAILABLE, "cancelled");
	h3_stream_abort(stream, NGHTTP3_H3_REQUEST_CANCELLED, &why);
}
