/* SPDX-License-Identifier: MIT */
/* HTTP/3 on a QUIC connection; see conn.h. */
#include "tunnel/h3/conn.h"

#include <stdlib.h>

#include "init/base/alloc.h"
#include "tunnel/h3/internal.h"
#include "tunnel/quic/conn.h"

int h3_conn_fail(struct h3_conn *conn, int code, const char *what)
{
	struct err why;

	err_set(&why, ERR_PROTOCOL, "HTTP/3: %s: %s", what, nghttp3_strerror(code));
	quic_conn_close(conn->quic, nghttp3_err_infer_quic_app_error_code(code), &why);
	return -1;
}

struct h3_stream *h3_conn_find(const struct h3_conn *conn, int64_t id)
{
	struct h3_stream *stream = conn->streams;

	while (stream && stream->id != id)
		stream = stream->next;
	return stream;
}

static int open_streams(void *app);

void h3_conn_make_http(struct h3_conn *conn)
{
	nghttp3_settings settings;
	int rv;

	nghttp3_settings_default(&settings);
	settings.max_field_section_size = H3_FIELDS_BYTES_MAX;
	settings.enable_connect_protocol = conn->is_server;
	/* A dozen requests an hour do not repay a dynamic table. */
	settings.qpack_max_dtable_capacity = settings.qpack_encoder_max_dtable_capacity = 0;
	if (conn->is_server)
		rv = nghttp3_conn_server_new(&conn->http, &h3_http_callbacks, &settings, NULL,
					     conn);
	else
		rv = nghttp3_conn_client_new(&conn->http, &h3_http_callbacks, &settings, NULL,
					     conn);
	/* It fails for want of memory only, of which there is always enough. */
	if (rv != 0)
		abort();
	if (conn->is_server)
		nghttp3_conn_set_max_client_streams_bidi(conn->http, H3_STREAMS_MAX);
}

struct h3_conn *h3_conn_new(struct quic_conn *quic, const struct h3_conn_ops *ops, void *owner)
{
	struct h3_conn *conn = new_zero(struct h3_conn);

	conn->quic = quic;
	conn->ops = ops;
	conn->owner = owner;
	conn->is_server = quic_conn_is_server(quic);
	h3_conn_make_http(conn);
	quic_conn_set_app(quic, &h3_app_ops, conn);
	/* A server that gave a ticket allows these streams, or the connection ends. */
	if (quic_conn_is_early(quic))
		conn->is_early = open_streams(conn) == 0;
	return conn;
}

void h3_conn_set_once(struct h3_conn *conn, struct h3_once *once)
{
	conn->once = once;
}

struct h3_conn *h3_conn_free(struct h3_conn *conn)
{
	struct err why;

	if (!conn)
		return NULL;
	/*
	 * Of the send buffers that this frees, the QUIC connection still knows, but it sends
	 * nothing any more.
	 */
	if (conn->is_over)
		why = conn->why;
	else
		err_set(&why, ERR_UNAVAILABLE, "the connection was given up");
	conn->is_over = true;
	while (conn->streams)
		h3_stream_finish(conn->streams, &why);
	quic_conn_free(conn->quic);
	nghttp3_conn_del(conn->http);
	h3_pool_finish(&conn->pool);
	free(conn);
	return NULL;
}

void h3_conn_abandon(struct h3_conn *conn)
{
	static const struct h3_stream_ops nobody = { 0 };
	struct err why;

	err_set(&why, ERR_UNAVAILABLE, "given up");
	for (struct h3_stream *stream = conn->streams; stream; stream = stream->next) {
		const struct h3_stream_ops *ops = stream->ops;

		stream->ops = &nobody;
		if (ops && ops->closed)
			ops->closed(stream, stream->user, &why);
		h3_stream_reset(stream);
	}
}

void h3_conn_go_away(struct h3_conn *conn)
{
	/* Before its control stream is there nobody can be told. It fails for want of memory. */
	if (conn->is_over || !conn->handshake_done ||
	    nghttp3_conn_submit_shutdown_notice(conn->http) != 0)
		return;
	quic_conn_wants_write(conn->quic);
}

struct quic_conn *h3_conn_quic(struct h3_conn *conn)
{
	return conn->quic;
}

int h3_stream_export(const struct h3_stream *stream, const char *label, struct secret *ret,
		     struct err *err)
{
	return quic_conn_export(stream->conn->quic, label, ret, err);
}

uint64_t h3_stream_heard_at(const struct h3_stream *stream)
{
	struct quic_stats stats;

	quic_conn_stats(stream->conn->quic, &stats);
	return stats.received_at;
}

void h3_conn_close(struct h3_conn *conn)
{
	struct err why;

	err_set(&why, ERR_NONE, "closed");
	quic_conn_close(conn->quic, NGHTTP3_H3_NO_ERROR, &why);
}

void h3_conn_close_because(struct h3_conn *conn, const char *reason)
{
	struct err why;

	err_set(&why, ERR_UNAVAILABLE, "%s", reason);
	quic_conn_close(conn->quic, NGHTTP3_H3_NO_ERROR, &why);
}

/*
 * A request may go: extended CONNECT only after the peer said that it knows it (RFC 9220 section
 * 3).
 */
static bool may_open(const struct h3_conn *conn, const struct h3_stream *stream)
{
	if (conn->is_over)
		return false;
	/* The settings of the connection that gave the ticket hold (RFC 9114 section 7.2.4.2). */
	if (conn->is_early)
		return true;
	return conn->handshake_done && (conn->settings_came || !stream->fields.protocol);
}

int h3_conn_open_waiting(struct h3_conn *conn)
{
	/* Oldest first: the list has the newest at its head. */
	struct h3_stream *stream = conn->streams, *prev;

	if (conn->waiting == 0)
		return 0;
	while (stream && stream->next)
		stream = stream->next;
	for (; stream && conn->waiting > 0; stream = prev) {
		prev = stream->prev;
		if (!h3_stream_is_pending(stream) || !may_open(conn, stream))
			continue;
		if (!quic_conn_open_bidi(conn->quic, &stream->id))
			return 0;
		conn->waiting--;
		if (h3_stream_submit_request(stream) < 0)
			return -1;
	}
	return 0;
}

int h3_conn_request(struct h3_conn *conn, const struct h3_request *request,
		    const struct h3_stream_ops *ops, void *user, struct h3_stream **ret,
		    struct err *err)
{
	struct h3_fields fields;
	struct h3_stream *stream;

	if (conn->is_over && !h3_conn_is_holding(conn))
		return err_set(err, ERR_UNAVAILABLE, "the connection is closed");
	if (conn->waiting >= H3_STREAMS_MAX)
		return err_set(err, ERR_LIMIT, "more than %d requests wait", H3_STREAMS_MAX);
	if (h3_fields_from_request(request, &fields, err) < 0)
		return -1;
	stream = h3_stream_new(conn);
	stream->fields = fields;
	if (request->urgency)
		stream->urgency = stream->urgency_now = request->urgency;
	/* It may have to be made again, by another connection even, and shall act once. */
	if (conn->is_early && !conn->handshake_done)
		h3_once_make(stream->once);
	conn->waiting++;
	h3_stream_set_ops(stream, ops, user);
	/* A failure ends the connection and with it this stream, which then gets its closed(). */
	(void)h3_conn_open_waiting(conn);
	quic_conn_wants_write(conn->quic);
	*ret = stream;
	return 0;
}

/* The control stream and the two of QPACK (RFC 9114 section 6.2). */
static int open_streams(void *app)
{
	struct h3_conn *conn = app;
	int64_t control, encoder, decoder;
	struct err why;

	if (!quic_conn_open_uni(conn->quic, &control) ||
	    !quic_conn_open_uni(conn->quic, &encoder) ||
	    !quic_conn_open_uni(conn->quic, &decoder)) {
		err_set(&why, ERR_PROTOCOL, "HTTP/3: the peer allows no control streams");
		quic_conn_close(conn->quic, NGHTTP3_H3_GENERAL_PROTOCOL_ERROR, &why);
		return -1;
	}
	if (nghttp3_conn_bind_control_stream(conn->http, control) != 0 ||
	    nghttp3_conn_bind_qpack_streams(conn->http, encoder, decoder) != 0)
		return h3_conn_fail(conn, NGHTTP3_ERR_INVALID_STATE, "control streams");
	return 0;
}

static int ready(void *app)
{
	struct h3_conn *conn = app;

	conn->handshake_done = true;
	if ((conn->is_server || conn->settings_came) && conn->ops->ready)
		conn->ops->ready(conn, conn->owner);
	return h3_conn_open_waiting(conn);
}

static void ticket_came(void *app, const struct quic_ticket *ticket)
{
	struct h3_conn *conn = app;

	/* What early requests rely on must have been said. */
	if (conn->settings_came && conn->ops->ticket)
		conn->ops->ticket(conn, conn->owner, ticket);
}

static int read_stream(void *app, int64_t id, struct span bytes, bool fin, uint64_t now)
{
	struct h3_conn *conn = app;
	bool had_settings = conn->settings_came;
	nghttp3_ssize used;

	used = nghttp3_conn_read_stream2(conn->http, id, bytes.ptr, bytes.len, fin, now);
	if (used < 0)
		return h3_conn_fail(conn, (int)used, "read");
	quic_conn_extend_stream(conn->quic, id, (size_t)used);
	quic_conn_extend_conn(conn->quic, (size_t)used);
	return conn->settings_came == had_settings ? 0 : h3_conn_open_waiting(conn);
}

/*
 * One direction was reset: half a stream is of no use to anyone here. But NO_ERROR is the answer to
 * our own STOP_SENDING, that of a response which did not need the request: it is still to be sent.
 */
static int stream_was_reset(void *app, int64_t id, uint64_t code)
{
	struct h3_conn *conn = app;
	int rv = nghttp3_conn_shutdown_stream_read(conn->http, id);

	if (rv != 0)
		return h3_conn_fail(conn, rv, "reset");
	if (code != NGHTTP3_H3_NO_ERROR)
		quic_conn_shutdown_stream(conn->quic, id, QUIC_SHUTDOWN_WRITE,
					  NGHTTP3_H3_REQUEST_CANCELLED);
	return 0;
}

static int stream_was_stopped(void *app, int64_t id, uint64_t code)
{
	struct h3_conn *conn = app;
	struct h3_stream *stream = h3_conn_find(conn, id);

	/*
	 * NO_ERROR: a response that does not need the rest of the request (RFC 9114 section 4.1),
	 * and that is still to be sent. ngtcp2 tells us of what we stopped ourselves, too.
	 */
	if (code == NGHTTP3_H3_NO_ERROR)
		return 0;
	if (stream)
		h3_stream_stop(stream);
	quic_conn_shutdown_stream(conn->quic, id, QUIC_SHUTDOWN_READ, NGHTTP3_H3_REQUEST_CANCELLED);
	return 0;
}

static int close_stream(void *app, int64_t id, bool has_code, uint64_t code)
{
	struct h3_conn *conn = app;
	int rv;

	rv = nghttp3_conn_close_stream(conn->http, id, has_code ? code : NGHTTP3_H3_NO_ERROR);
	if (rv != 0 && rv != NGHTTP3_ERR_STREAM_NOT_FOUND)
		return h3_conn_fail(conn, rv, "end of a stream");
	/* Bit 1: unidirectional (RFC 9000 section 2.1); those are never replaced. */
	if (conn->is_server && (id & 2) == 0)
		quic_conn_extend_streams(conn->quic);
	return 0;
}

static int acked(void *app, int64_t id, uint64_t len)
{
	struct h3_conn *conn = app;
	int rv = nghttp3_conn_add_ack_offset(conn->http, id, len);

	return rv == 0 ? 0 : h3_conn_fail(conn, rv, "acknowledgement");
}

static int unblocked(void *app, int64_t id)
{
	struct h3_conn *conn = app;
	int rv = nghttp3_conn_unblock_stream(conn->http, id);

	return rv == 0 ? 0 : h3_conn_fail(conn, rv, "credit");
}

static int more_streams(void *app)
{
	return h3_conn_open_waiting(app);
}

static int next(void *app, struct quic_send *send)
{
	struct h3_conn *conn = app;
	nghttp3_vec vec[QUIC_SEND_VECS];
	nghttp3_ssize count;
	int fin = 0;

	count = h3_urgency_next(conn, &send->stream, &fin, vec, QUIC_SEND_VECS);
	if (count < 0)
		return h3_conn_fail(conn, (int)count, "write");
	for (nghttp3_ssize i = 0; i < count; i++)
		send->vec[i] = (struct quic_vec){ .base = vec[i].base, .len = vec[i].len };
	send->vec_len = (size_t)count;
	send->fin = fin != 0;
	return send->stream >= 0;
}

static int sent(void *app, int64_t id, size_t len)
{
	struct h3_conn *conn = app;
	int rv = nghttp3_conn_add_write_offset(conn->http, id, len);

	return rv == 0 ? 0 : h3_conn_fail(conn, rv, "write");
}

static void blocked(void *app, int64_t id)
{
	struct h3_conn *conn = app;

	nghttp3_conn_block_stream(conn->http, id);
}

static void shut(void *app, int64_t id)
{
	struct h3_conn *conn = app;

	nghttp3_conn_shutdown_stream_write(conn->http, id);
}

static void after(void *app)
{
	struct h3_conn *conn = app;

	conn->write_asked = false;
	h3_conn_wake(conn);
}

static void wants_write(void *app)
{
	struct h3_conn *conn = app;

	if (conn->write_asked || conn->is_over)
		return;
	conn->write_asked = true;
	if (conn->ops->wants_write)
		conn->ops->wants_write(conn, conn->owner);
}

static void over(void *app, const struct err *why)
{
	struct h3_conn *conn = app;

	conn->is_over = true;
	conn->why = *why;
	while (conn->streams && !h3_conn_is_holding(conn))
		h3_stream_finish(conn->streams, why);
	if (conn->ops->closed)
		conn->ops->closed(conn, conn->owner, why);
}

static void moved(void *app, const struct quic_path *path)
{
	struct h3_conn *conn = app;

	if (conn->ops->moved)
		conn->ops->moved(conn, conn->owner, path);
}

const struct quic_app_ops h3_app_ops = {
	.writable = open_streams,
	.ready = ready,
	.rejected = h3_early_rejected,
	.ticket = ticket_came,
	.data = read_stream,
	.reset = stream_was_reset,
	.stopped = stream_was_stopped,
	.closed_stream = close_stream,
	.acked = acked,
	.unblocked = unblocked,
	.more_streams = more_streams,
	.moved = moved,
	.next = next,
	.sent = sent,
	.blocked = blocked,
	.shut = shut,
	.after = after,
	.wants_write = wants_write,
	.over = over,
};
