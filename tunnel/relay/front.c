/* SPDX-License-Identifier: MIT */
/* The relay's UDP port, without its socket; see front.h. */
#include "front.h"

#include <string.h>

#include "init/base/alloc.h"
#include "init/base/log.h"
#include "tunnel/h3/conn.h"
#include "tunnel/quic/server.h"
#include "tunnel/quic/tag.h"
#include "tunnel/relay/control.h"

/* Keep-alives come every 25 s; two may be lost. */
#define IDLE_TIMEOUT_NS (70 * NSEC_PER_SEC)
/* How often connections are looked for that are of no use, and how old they then are. */
#define SWEEP_NS (5 * NSEC_PER_SEC)
#define USELESS_NS (20 * NSEC_PER_SEC)

/* What waits for an endpoint that does not read: more than it could have asked for honestly. */
#define UNREAD_MAX (32 * 1024)

struct front_conn {
	struct front_conn *prev, *next, *over_next;
	struct front *front;
	struct h3_conn *h3;
	struct h3_stream *stream; /* of capsules */
	struct control control;
	uint64_t since;
	bool is_over, is_leaving, had_stream;
};

struct front {
	struct front_config config;
	struct tls_context *tls;
	struct quic_server *quic;
	struct front_conn *conns, *over;
	uint64_t tag, now, sweep_at;
};

/* The stream of capsules */

static bool on_send(void *transport, struct span bytes)
{
	const struct front_conn *conn = transport;

	return conn->stream && h3_stream_room(conn->stream) >= H3_SEND_MAX - UNREAD_MAX &&
	       h3_stream_write(conn->stream, bytes);
}

static void on_end(void *transport)
{
	const struct front_conn *conn = transport;

	if (conn->stream)
		h3_stream_end(conn->stream);
}

static int on_binding(void *transport, uint8_t ret[RELAY_BINDING_LEN], struct err *err)
{
	const struct front_conn *conn = transport;
	cleanup(secret_finish) struct secret secret = { 0 };

	if (quic_conn_export(h3_conn_quic(conn->h3), RELAY_EXPORT_LABEL, &secret, err) < 0)
		return -1;
	memcpy(ret, secret.bytes, RELAY_BINDING_LEN);
	return 0;
}

static const struct control_ops control_ops = {
	.send = on_send,
	.end = on_end,
	.binding = on_binding,
};

static void on_body(struct h3_stream *stream, void *user, struct span bytes)
{
	struct front_conn *conn = user;

	h3_stream_consumed(stream, bytes.len);
	control_feed(&conn->control, bytes, conn->front->now);
}

static void on_stream_end(struct h3_stream *stream, void *user)
{
	struct front_conn *conn = user;

	control_close(&conn->control);
	h3_stream_end(stream);
}

static void on_stream_closed(struct h3_stream *stream, void *user, const struct err *why)
{
	struct front_conn *conn = user;

	(void)stream;
	(void)why;
	conn->stream = NULL;
	control_close(&conn->control);
}

static const struct h3_stream_ops stream_ops = {
	.body = on_body,
	.end = on_stream_end,
	.closed = on_stream_closed,
};

static void open_control(struct front_conn *conn, struct h3_stream *stream)
{
	struct control_config config = {
		.core = conn->front->config.core,
		.ops = &control_ops,
		.transport = conn,
		.now = conn->front->now,
	};

	conn->had_stream = true;
	conn->stream = stream;
	quic_conn_path(h3_conn_quic(conn->h3), &config.path);
	h3_stream_set_ops(stream, &stream_ops, conn);
	h3_stream_respond(stream, 200);
	control_open(&conn->control, &config);
}

/* Connections */

static void answer_health(const struct front_conn *conn, struct h3_stream *stream)
{
	static const struct h3_stream_ops nobody = { 0 };
	struct err err;

	if (conn->front->config.core->is_draining) {
		err_set(&err, ERR_UNAVAILABLE, "draining");
		h3_stream_reject(stream, &err);
		return;
	}
	h3_stream_set_ops(stream, &nobody, NULL);
	h3_stream_respond(stream, 200);
	(void)!h3_stream_write(stream, span_of_str("ok\n"));
	h3_stream_end(stream);
}

static void on_request(struct h3_conn *h3, void *owner, struct h3_stream *stream,
		       const struct h3_request *request)
{
	struct front_conn *conn = owner;
	const char *path = request->path ? request->path : "";
	struct err err;

	(void)h3;
	if (strcmp(request->method, "GET") == 0 && strcmp(path, "/health") == 0) {
		answer_health(conn, stream);
		return;
	}
	if (strcmp(request->method, "CONNECT") != 0 || !request->protocol ||
	    strcmp(request->protocol, RELAY_PROTOCOL) != 0 || strcmp(path, RELAY_PATH) != 0)
		err_set(&err, ERR_NOT_FOUND,
			"this is a relay: it knows " RELAY_PATH " and /health");
	else if (conn->had_stream)
		err_set(&err, ERR_LIMIT, "one registration a connection");
	else {
		open_control(conn, stream);
		return;
	}
	h3_stream_reject(stream, &err);
}

static void on_ready(struct h3_conn *h3, void *owner)
{
	(void)h3;
	(void)owner;
}

static void on_moved(struct h3_conn *h3, void *owner, const struct quic_path *path)
{
	struct front_conn *conn = owner;

	(void)h3;
	control_moved(&conn->control, path);
}

static void on_wants_write(struct h3_conn *h3, void *owner)
{
	(void)h3;
	(void)owner;
}

static void on_closed(struct h3_conn *h3, void *owner, const struct err *why)
{
	struct front_conn *conn = owner;

	(void)h3;
	log_debug("connection closed: %s", why->kind == ERR_NONE ? "done" : why->text);
	conn->is_over = true;
	conn->over_next = conn->front->over;
	conn->front->over = conn;
}

static const struct h3_conn_ops h3_ops = {
	.ready = on_ready,
	.request = on_request,
	.moved = on_moved,
	.wants_write = on_wants_write,
	.closed = on_closed,
};

static void on_accept(void *owner, struct quic_conn *quic)
{
	struct front *front = owner;
	struct front_conn *conn = new_zero(struct front_conn);

	conn->front = front;
	conn->since = front->now;
	conn->h3 = h3_conn_new(quic, &h3_ops, conn);
	conn->next = front->conns;
	if (conn->next)
		conn->next->prev = conn;
	front->conns = conn;
}

static const struct quic_server_ops quic_ops = { .accept = on_accept };

static void free_conn(struct front_conn *conn)
{
	*(conn->prev ? &conn->prev->next : &conn->front->conns) = conn->next;
	if (conn->next)
		conn->next->prev = conn->prev;
	/* Its stream's closed() comes from in here. */
	h3_conn_free(conn->h3);
	control_close(&conn->control);
	free(conn);
}

struct front *front_new(const struct front_config *config, struct err *err)
{
	cleanup(front_free) struct front *front = new_zero(struct front);
	struct quic_server_config quic = {
		.reset_key = &config->keys->reset,
		.retry_key = &config->keys->retry,
		.tag = &config->keys->tag,
		.settings = QUIC_SETTINGS_DEFAULT,
		.ops = &quic_ops,
		.owner = front,
	};

	front->config = *config;
	front->config.conns_max = config->conns_max ? config->conns_max : FRONT_CONNS_MAX;
	front->config.strangers_max =
		config->strangers_max ? config->strangers_max : FRONT_STRANGERS_MAX;
	front->tag = leg_tag(config->keys->tag.bytes);
	front->tls = tls_context_new_relay(&config->keys->pair, TLS_ALPN, err);
	if (!front->tls)
		return NULL;
	quic.tls = front->tls;
	quic.settings.idle_timeout_ns = IDLE_TIMEOUT_NS;
	quic.settings.is_small = true;
	front->quic = quic_server_new(&quic, err);
	return front->quic ? take_ptr(front) : NULL;
}

struct front *front_free(struct front *front)
{
	if (!front)
		return NULL;
	while (front->conns)
		free_conn(front->conns);
	quic_server_free(front->quic);
	tls_context_free(front->tls);
	free(front);
	return NULL;
}

/* Datagrams */

/* False: it has no tag, as it is no QUIC. */
static bool tag_at(struct span packet, uint64_t *ret)
{
	struct quic_tag tag;

	if (!quic_tag_of(packet, &tag))
		return false;
	*ret = leg_tag(tag.bytes);
	return true;
}

/* How many bytes at the start are whole datagrams with this tag. */
static size_t run_of(struct span rest, size_t segment, uint64_t tag)
{
	size_t at = MIN(segment, rest.len);

	while (at < rest.len) {
		size_t len = MIN(segment, rest.len - at);
		uint64_t next;

		if (!tag_at(span_of(rest.ptr + at, len), &next) || next != tag)
			break;
		at += len;
	}
	return at;
}

static void read_own(struct front *front, const struct udp_datagrams *d, struct span run)
{
	size_t strangers = front->config.strangers_max;

	/* Places of those who are registered are not taken by those who are not. */
	quic_server_set_conns_max(front->quic, MIN(front->config.conns_max,
						   front->config.core->udp_count + strangers));
	while (run.len > 0)
		quic_server_read(front->quic, &d->path, d->ecn,
				 span_cut(&run, MIN(run.len, d->segment)), front->now);
}

void front_received(struct front *front, const struct udp_datagrams *d, uint64_t now)
{
	struct core *core = front->config.core;
	struct span rest = d->bytes;

	front->now = now;
	while (rest.len > 0) {
		uint64_t tag;
		struct span run;

		if (!tag_at(span_of(rest.ptr, MIN(rest.len, d->segment)), &tag)) {
			(void)span_cut(&rest, MIN(rest.len, d->segment));
			core_drop(core, CORE_DROP_FOREIGN, 1);
			continue;
		}
		run = span_cut(&rest, run_of(rest, d->segment, tag));
		if (tag == front->tag)
			read_own(front, d, run);
		else
			core_route(core, &d->path.remote, tag, d->ecn, MIN(d->segment, run.len),
				   run, now);
	}
}

bool front_write(struct front *front, struct quic_batch *batch, uint64_t now)
{
	front->now = now;
	return quic_server_write(front->quic, batch, now);
}

uint64_t front_deadline(const struct front *front)
{
	return MIN(quic_server_deadline(front->quic), front->conns ? front->sweep_at : QUIC_NEVER);
}

/* Connections without a registration end: the place is somebody else's. */
static void sweep(struct front *front)
{
	for (struct front_conn *conn = front->conns; conn; conn = conn->next) {
		if (conn->control.leg || conn->is_over || conn->is_leaving ||
		    front->now - conn->since < USELESS_NS ||
		    front->now - conn->control.since < USELESS_NS)
			continue;
		conn->is_leaving = true;
		h3_conn_close_because(conn->h3, "there is no registration on this connection");
	}
}

void front_expire(struct front *front, uint64_t now)
{
	front->now = now;
	quic_server_expire(front->quic, now);
	if (now < front->sweep_at)
		return;
	front->sweep_at = now + SWEEP_NS;
	sweep(front);
}

void front_turn(struct front *front)
{
	struct front_conn *conn;

	while ((conn = front->over)) {
		front->over = conn->over_next;
		free_conn(conn);
	}
}

void front_drain(struct front *front)
{
	for (struct front_conn *conn = front->conns; conn; conn = conn->next)
		if (!conn->is_over)
			h3_conn_go_away(conn->h3);
}

void front_close(struct front *front, const char *reason)
{
	for (struct front_conn *conn = front->conns; conn; conn = conn->next) {
		if (conn->is_over || conn->is_leaving)
			continue;
		conn->is_leaving = true;
		h3_conn_close_because(conn->h3, reason);
	}
}

size_t front_count(const struct front *front)
{
	return quic_server_count(front->quic);
}

size_t front_handshakes(const struct front *front)
{
	return quic_server_handshakes(front->quic);
}
