/* SPDX-License-Identifier: MIT */
/* What nghttp3 calls: field sections, body bytes and the ends of streams. */
#include "tunnel/h3/internal.h"

static struct span rcbuf_span(nghttp3_rcbuf *buf)
{
	nghttp3_vec vec = nghttp3_rcbuf_get_buf(buf);

	return span_of(vec.base, vec.len);
}

static int begin_headers(nghttp3_conn *http, int64_t id, void *user, void *stream_user)
{
	struct h3_conn *conn = user;
	struct h3_stream *stream = stream_user;

	if (stream) {
		/* A response, perhaps a second one after an interim response. */
		h3_fields_finish(&stream->fields);
		return 0;
	}
	stream = h3_stream_new(conn);
	stream->id = id;
	return nghttp3_conn_set_stream_user_data(http, id, stream) == 0
		       ? 0
		       : NGHTTP3_ERR_CALLBACK_FAILURE;
}

static int recv_header(nghttp3_conn *http, int64_t id, int32_t token, nghttp3_rcbuf *name,
		       nghttp3_rcbuf *value, uint8_t flags, void *user, void *stream_user)
{
	struct h3_stream *stream = stream_user;

	(void)http;
	(void)id;
	(void)token;
	(void)flags;
	(void)user;
	if (!stream->is_refused &&
	    h3_fields_add(&stream->fields, rcbuf_span(name), rcbuf_span(value), &stream->why) < 0)
		stream->is_refused = true;
	return 0;
}

/* An early request acts once or not at all; a GET does not act. */
static int claim(struct h3_stream *stream, const struct h3_request *request, struct err *err)
{
	struct h3_conn *conn = stream->conn;
	const char *text = stream->fields.once;
	struct h3_once_name name;

	if (!text && (conn->handshake_done || strcmp(request->method, "GET") == 0))
		return 0;
	if (!text || !conn->once || !h3_once_parse(span_of_str(text), &name))
		return err_set(err, ERR_INVALID,
			       "idempotency-key: 32 hexadecimal digits are needed");
	if (!h3_once_claim(conn->once, &name))
		return err_set(err, ERR_EXISTS,
			       "this request was made before and its answer was lost: look what "
			       "it did, then ask again");
	return 0;
}

static void tell_request(struct h3_stream *stream)
{
	struct h3_conn *conn = stream->conn;
	struct h3_request request;

	if (!stream->is_refused &&
	    (h3_fields_request(&stream->fields, &request, &stream->why) < 0 ||
	     claim(stream, &request, &stream->why) < 0))
		stream->is_refused = true;
	if (stream->is_refused) {
		h3_stream_reject(stream, &stream->why);
		return;
	}
	h3_urgency_take(stream);
	if (conn->defers)
		h3_stream_defer(stream);
	else
		conn->ops->request(conn, conn->owner, stream, &request);
}

static int end_headers(nghttp3_conn *http, int64_t id, int fin, void *user, void *stream_user)
{
	struct h3_conn *conn = user;
	struct h3_stream *stream = stream_user;
	int status = stream->fields.status;

	(void)http;
	(void)id;
	(void)fin;
	if (stream->is_reset)
		return 0;
	if (conn->is_server)
		tell_request(stream);
	else if (stream->is_refused)
		h3_stream_abort(stream, NGHTTP3_H3_EXCESSIVE_LOAD, &stream->why);
	else if (status >= 200 && stream->ops && stream->ops->response)
		stream->ops->response(stream, stream->user, status);
	return 0;
}

static int recv_data(nghttp3_conn *http, int64_t id, const uint8_t *bytes, size_t len, void *user,
		     void *stream_user)
{
	(void)http;
	(void)id;
	(void)user;
	h3_stream_receive(stream_user, span_of(bytes, len));
	return 0;
}

static int deferred_consume(nghttp3_conn *http, int64_t id, size_t len, void *user,
			    void *stream_user)
{
	struct h3_conn *conn = user;

	(void)http;
	(void)stream_user;
	quic_conn_extend_stream(conn->quic, id, len);
	quic_conn_extend_conn(conn->quic, len);
	return 0;
}

static int end_stream(nghttp3_conn *http, int64_t id, void *user, void *stream_user)
{
	struct h3_stream *stream = stream_user;

	(void)http;
	(void)id;
	(void)user;
	stream->peer_ended = true;
	/* The end goes through the wake list when body bytes do, so as not to overtake them. */
	if (buf_len(&stream->inbox) > 0 || !stream->ops)
		h3_stream_wake_later(stream);
	else
		h3_stream_wake(stream);
	return 0;
}

static int acked_stream_data(nghttp3_conn *http, int64_t id, uint64_t len, void *user,
			     void *stream_user)
{
	struct h3_stream *stream = stream_user;

	(void)http;
	(void)id;
	(void)user;
	h3_send_acked(&stream->send, len);
	return 0;
}

static void explain_reset(uint64_t code, struct err *ret)
{
	if (code == NGHTTP3_H3_REQUEST_CANCELLED)
		err_set(ret, ERR_UNAVAILABLE, "cancelled by the peer");
	else if (code == NGHTTP3_H3_CONNECT_ERROR)
		err_set(ret, ERR_UNAVAILABLE, "the connection behind it was reset");
	else
		err_set(ret, ERR_PROTOCOL, "reset by the peer: error 0x%llx",
			(unsigned long long)code);
}

static int stream_close(nghttp3_conn *http, int64_t id, uint64_t code, void *user,
			void *stream_user)
{
	struct h3_stream *stream = stream_user;
	struct err why;

	(void)http;
	(void)id;
	(void)user;
	if (!stream)
		return 0;
	if (stream->is_reset) {
		h3_stream_finish(stream, &stream->why);
	} else if (code == NGHTTP3_H3_NO_ERROR) {
		h3_stream_finish(stream, NULL);
	} else {
		explain_reset(code, &why);
		h3_stream_finish(stream, &why);
	}
	return 0;
}

/* nghttp3 asks us to give up one direction of a stream that breaks its rules. */
static int stop_sending(nghttp3_conn *http, int64_t id, uint64_t code, void *user,
			void *stream_user)
{
	struct h3_conn *conn = user;

	(void)http;
	(void)stream_user;
	quic_conn_shutdown_stream(conn->quic, id, QUIC_SHUTDOWN_READ, code);
	return 0;
}

static int reset_stream(nghttp3_conn *http, int64_t id, uint64_t code, void *user,
			void *stream_user)
{
	struct h3_conn *conn = user;

	(void)http;
	(void)stream_user;
	quic_conn_shutdown_stream(conn->quic, id, QUIC_SHUTDOWN_WRITE, code);
	return 0;
}

static int recv_settings(nghttp3_conn *http, const nghttp3_proto_settings *settings, void *user)
{
	struct h3_conn *conn = user;
	struct err why;

	(void)http;
	if (conn->is_server)
		return 0;
	if (!settings->enable_connect_protocol) {
		err_set(&why, ERR_UNSUPPORTED, "the peer does not offer extended CONNECT");
		quic_conn_close(conn->quic, NGHTTP3_H3_SETTINGS_ERROR, &why);
		return NGHTTP3_ERR_CALLBACK_FAILURE;
	}
	conn->settings_came = true;
	if (conn->handshake_done && conn->ops->ready)
		conn->ops->ready(conn, conn->owner);
	return 0;
}

const nghttp3_callbacks h3_http_callbacks = {
	.acked_stream_data = acked_stream_data,
	.stream_close = stream_close,
	.recv_data = recv_data,
	.deferred_consume = deferred_consume,
	.begin_headers = begin_headers,
	.recv_header = recv_header,
	.end_headers = end_headers,
	.stop_sending = stop_sending,
	.end_stream = end_stream,
	.reset_stream = reset_stream,
	.rand = quic_random,
	.recv_settings2 = recv_settings,
};
