/* SPDX-License-Identifier: MIT */
/* A control connection over UDP; see link_udp.h. */
#include "link_udp.h"

#include <string.h>

#include "init/base/alloc.h"
#include "tunnel/h3/conn.h"
#include "tunnel/wire/capsule.h"

/* What keeps a NAT open (RFC 9308 section 3.2), unless the relay asks for another. */
#define KEEP_ALIVE (25 * NSEC_PER_SEC)
#define IDLE_TIMEOUT (120 * NSEC_PER_SEC)
#define HANDSHAKE_TIMEOUT (10 * NSEC_PER_SEC)

struct link_udp {
	struct link_udp_config config;
	struct h3_conn *h3;
	struct h3_stream *stream;
	struct capsule_reader reader;
	struct quic_path path;
	struct err broken; /* the relay's words made no sense, or it refused */
	bool is_ready, is_over, was_told;
};

static bool is_stream(void *user, uint64_t type)
{
	(void)user;
	(void)type;
	return false;
}

static int on_capsule(void *user, uint64_t type, struct span value, struct err *err)
{
	struct link_udp *u = user;

	return enrol_hear(u->config.ops->heard, u->config.owner, type, value, err);
}

static const struct capsule_ops capsule_ops = { .is_stream = is_stream, .whole = on_capsule };

static void on_response(struct h3_stream *stream, void *user, int status)
{
	struct link_udp *u = user;

	if (status >= 200 && status < 300)
		return;
	err_set(&u->broken, ERR_PROTOCOL, "the relay answered %d", status);
	h3_stream_reset(stream);
}

static void on_body(struct h3_stream *stream, void *user, struct span bytes)
{
	struct link_udp *u = user;

	if (u->broken.kind == ERR_NONE && capsule_reader_feed(&u->reader, bytes, &u->broken) < 0)
		h3_stream_reset(stream);
	h3_stream_consumed(stream, bytes.len);
}

/* Without its stream the connection is of no use. */
static void on_stream_closed(struct h3_stream *stream, void *user, const struct err *why)
{
	struct link_udp *u = user;

	(void)stream;
	u->stream = NULL;
	if (u->broken.kind == ERR_NONE) {
		if (why)
			u->broken = *why;
		else
			err_set(&u->broken, ERR_UNAVAILABLE, "the relay ended the registration");
	}
	h3_conn_close(u->h3);
}

static const struct h3_stream_ops stream_ops = {
	.response = on_response,
	.body = on_body,
	.closed = on_stream_closed,
};

static void on_ready(struct h3_conn *h3, void *owner)
{
	struct link_udp *u = owner;

	(void)h3;
	u->is_ready = true;
	u->config.ops->ready(u->config.owner);
}

static void on_wants_write(struct h3_conn *h3, void *owner)
{
	struct link_udp *u = owner;

	(void)h3;
	u->config.ops->wants_write(u->config.owner);
}

static void on_closed(struct h3_conn *h3, void *owner, const struct err *why)
{
	struct link_udp *u = owner;

	(void)h3;
	u->is_over = true;
	if (u->broken.kind == ERR_NONE)
		u->broken = *why;
	if (u->broken.kind == ERR_NONE)
		err_set(&u->broken, ERR_UNAVAILABLE, "the relay closed the connection");
	u->config.ops->wants_write(u->config.owner);
}

static const struct h3_conn_ops h3_ops = {
	.ready = on_ready,
	.wants_write = on_wants_write,
	.closed = on_closed,
};

struct link_udp *link_udp_new(const struct link_udp_config *config, struct err *err)
{
	struct link_udp *u = new_zero(struct link_udp);
	struct quic_client_config quic = {
		.tls = config->tls,
		.settings = QUIC_SETTINGS_DEFAULT,
		.path = config->path,
		.tag = &config->tag,
		.peer_tag = &config->peer_tag,
		.now = config->now,
	};
	struct quic_conn *conn;

	quic.settings.idle_timeout_ns = IDLE_TIMEOUT;
	quic.settings.handshake_timeout_ns = HANDSHAKE_TIMEOUT;
	quic.settings.keep_alive_ns = KEEP_ALIVE;
	quic.settings.datagram_max = 0; /* words are short: no path MTU discovery */
	u->config = *config;
	u->path = config->path;
	capsule_reader_init(&u->reader, &capsule_ops, u, RELAY_VALUE_MAX);
	conn = quic_conn_connect(&quic, err);
	if (!conn)
		return link_udp_free(u);
	u->h3 = h3_conn_new(conn, &h3_ops, u);
	return u;
}

struct link_udp *link_udp_free(struct link_udp *u)
{
	if (!u)
		return NULL;
	h3_conn_free(u->h3);
	capsule_reader_finish(&u->reader);
	free(u);
	return NULL;
}

void link_udp_close(struct link_udp *u)
{
	if (!u->is_over)
		h3_conn_close(u->h3);
}

int link_udp_hello(struct link_udp *u, struct err *err)
{
	const struct h3_request request = {
		.method = "CONNECT",
		.protocol = RELAY_PROTOCOL,
		.authority = "relay",
		.path = RELAY_PATH,
		.urgency = H3_URGENCY_TYPED,
	};
	cleanup(buf_finish) struct buf hello = BUF_INIT(2 * RELAY_VALUE_MAX);
	cleanup(secret_finish) struct secret binding = { 0 };

	if (quic_conn_export(h3_conn_quic(u->h3), RELAY_EXPORT_LABEL, &binding, err) < 0 ||
	    enrol_hello(u->config.enrol, binding.bytes, &hello, err) < 0 ||
	    h3_conn_request(u->h3, &request, &stream_ops, u, &u->stream, err) < 0)
		return -1;
	if (!h3_stream_write(u->stream, buf_span(&hello)))
		return err_set(err, ERR_INTERNAL, "no room for a hello");
	return 0;
}

static void tell_end(struct link_udp *u)
{
	if (!u->is_over || u->was_told)
		return;
	u->was_told = true;
	u->config.ops->over(u->config.owner, &u->broken, quic_conn_was_reset(h3_conn_quic(u->h3)));
}

void link_udp_read(struct link_udp *u, uint8_t ecn, struct span packet, uint64_t now)
{
	quic_conn_read(h3_conn_quic(u->h3), &u->path, ecn, packet, now);
}

bool link_udp_write(struct link_udp *u, struct quic_batch *batch, uint64_t now)
{
	if (quic_conn_write(h3_conn_quic(u->h3), batch, now))
		return true;
	tell_end(u);
	return false;
}

uint64_t link_udp_deadline(const struct link_udp *u)
{
	return quic_conn_deadline(h3_conn_quic(u->h3));
}

void link_udp_expire(struct link_udp *u, uint64_t now)
{
	quic_conn_expire(h3_conn_quic(u->h3), now);
}

int link_udp_migrate(struct link_udp *u, const struct quic_addr *local, uint64_t now,
		     struct err *err)
{
	struct quic_path path = { .local = *local, .remote = u->path.remote };

	if (quic_conn_migrate(h3_conn_quic(u->h3), &path, now, err) < 0)
		return -1;
	u->path = path;
	return 0;
}

void link_udp_set_keep_alive(struct link_udp *u, uint64_t keep_alive_ns)
{
	quic_conn_set_keep_alive(h3_conn_quic(u->h3), keep_alive_ns);
}

void link_udp_probe(struct link_udp *u)
{
	quic_conn_probe(h3_conn_quic(u->h3));
}

uint64_t link_udp_heard_at(const struct link_udp *u)
{
	struct quic_stats stats;

	quic_conn_stats(h3_conn_quic(u->h3), &stats);
	return stats.received_at;
}

uint64_t link_udp_rtt(const struct link_udp *u)
{
	struct quic_stats stats;

	quic_conn_stats(h3_conn_quic(u->h3), &stats);
	return stats.received_at ? stats.rtt_ns : 0;
}
