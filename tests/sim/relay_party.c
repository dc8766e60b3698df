/* SPDX-License-Identifier: MIT */
/* A link and a scripted relay in virtual time; see relay_party.h. */
#include "tests/sim/relay_party.h"

#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static struct quic_addr relay_addr(void)
{
	struct quic_addr addr = { .len = sizeof(addr.v4) };

	addr.v4.sin_family = AF_INET;
	addr.v4.sin_port = htons(443);
	addr.v4.sin_addr.s_addr = htonl(0xc0000201);
	return addr;
}

struct quic_addr party_addr(const struct party *p)
{
	struct quic_addr addr = relay_addr();

	addr.v4.sin_addr.s_addr = htonl(0xc6336401);
	addr.v4.sin_port = htons(p->port);
	return addr;
}

/* The relay */

static void answer(struct relay_conn *c, const struct relay_hello *hello)
{
	struct party *p = c->party;
	struct relay_welcome welcome = { .keep_alive_ms = 25000 };
	cleanup(buf_finish) struct buf out = BUF_INIT(4096);
	struct relay_refused refused = { .code = p->refuses, .retry_ms = p->refuses_for_ms };
	struct relay_peer peer = { .is_here = true };
	struct quic_path path;

	if (p->refuses) {
		assert_true(relay_refused_format(&refused, &out));
		assert_true(h3_stream_write(c->stream, buf_span(&out)));
		h3_stream_end(c->stream);
		return;
	}
	p->hellos++;
	quic_conn_path(h3_conn_quic(c->h3), &path);
	p->hello_path = path;
	welcome.observed.family = 4;
	memcpy(welcome.observed.bytes, &path.remote.v4.sin_addr, 4);
	welcome.observed.port = ntohs(path.remote.v4.sin_port);
	memcpy(peer.tag, hello->tag, sizeof(peer.tag));
	assert_true(relay_welcome_format(&welcome, &out));
	assert_true(relay_peer_format(&peer, &out));
	assert_true(h3_stream_write(c->stream, buf_span(&out)));
}

static bool is_stream(void *user, uint64_t type)
{
	(void)user;
	(void)type;
	return false;
}

/* As the real one: a job must prove its id, bound to this connection. */
static int on_capsule(void *user, uint64_t type, struct span value, struct err *err)
{
	cleanup(secret_finish) struct secret binding = { 0 };
	struct relay_conn *c = user;
	struct relay_hello hello;
	struct key_public key;
	uint8_t text[RELAY_SIGNED_LEN];

	assert_int_equal(type, RELAY_HELLO);
	assert_int_equal(relay_hello_parse(value, &hello, err), 0);
	if (hello.role == RELAY_JOB) {
		assert_int_equal(
			quic_conn_export(h3_conn_quic(c->h3), RELAY_EXPORT_LABEL, &binding, err),
			0);
		memcpy(key.bytes, hello.key, sizeof(key.bytes));
		relay_signed(binding.bytes, &hello, text);
		assert_true(key_verify(&key, span_of(text, sizeof(text)), hello.signature));
	}
	answer(c, &hello);
	return 0;
}

static const struct capsule_ops capsule_ops = { .is_stream = is_stream, .whole = on_capsule };

static void on_body(struct h3_stream *stream, void *user, struct span bytes)
{
	struct relay_conn *c = user;
	struct err err;

	assert_int_equal(capsule_reader_feed(&c->reader, bytes, &err), 0);
	h3_stream_consumed(stream, bytes.len);
}

static const struct h3_stream_ops stream_ops = { .body = on_body };

static void on_request(struct h3_conn *h3, void *owner, struct h3_stream *stream,
		       const struct h3_request *request)
{
	struct relay_conn *c = owner;

	(void)h3;
	assert_string_equal(request->protocol, RELAY_PROTOCOL);
	assert_string_equal(request->path, RELAY_PATH);
	c->stream = stream;
	h3_stream_set_ops(stream, &stream_ops, c);
	h3_stream_respond(stream, 200);
}

static void ignore(struct h3_conn *h3, void *owner)
{
	(void)h3;
	(void)owner;
}

static void on_conn_closed(struct h3_conn *h3, void *owner, const struct err *why)
{
	(void)h3;
	(void)owner;
	(void)why;
}

static const struct h3_conn_ops relay_ops = {
	.ready = ignore,
	.request = on_request,
	.wants_write = ignore,
	.closed = on_conn_closed,
};

static void on_accept(void *owner, struct quic_conn *quic)
{
	struct party *p = owner;
	struct relay_conn *c = &p->conns[p->conn_count++];

	assert_true(p->conn_count < ARRAY_LEN(p->conns));
	*c = (struct relay_conn){ .party = p };
	capsule_reader_init(&c->reader, &capsule_ops, c, RELAY_VALUE_MAX);
	c->h3 = h3_conn_new(quic, &relay_ops, c);
}

void party_start_relay(struct party *p)
{
	static const struct quic_server_ops ops = { .accept = on_accept };
	const struct quic_server_config config = {
		.tag = &p->relay_tag,
		.tls = p->relay_tls,
		.reset_key = &p->reset_key,
		.settings = QUIC_SETTINGS_DEFAULT,
		.ops = &ops,
		.owner = p,
	};

	p->server = quic_server_new(&config, NULL);
	assert_non_null(p->server);
}

void party_stop_relay(struct party *p)
{
	for (size_t i = 0; i < p->conn_count; i++) {
		h3_conn_free(p->conns[i].h3);
		capsule_reader_finish(&p->conns[i].reader);
	}
	p->conn_count = 0;
	p->server = quic_server_free(p->server);
}

/* The link */

static void on_up(void *owner, enum link_way way)
{
	struct party *p = owner;

	p->ups++;
	p->way = way;
	p->up_at = p->now;
}

static void on_peer(void *owner, const struct quic_tag *tag, bool is_here)
{
	struct party *p = owner;

	(void)tag;
	p->is_here = is_here;
}

static void on_moved(void *owner)
{
	struct party *p = owner;

	p->moves++;
}

static void on_down(void *owner, const struct err *why, bool is_final)
{
	struct party *p = owner;

	p->downs++;
	p->down_at = p->now;
	p->is_final = is_final;
	p->why = *why;
}

static void on_wants_write(void *owner)
{
	(void)owner;
}

static bool on_remote(void *owner, struct quic_addr *ret)
{
	(void)owner;
	*ret = relay_addr();
	return true;
}

static void dial_tcp(void *owner)
{
	struct party *p = owner;

	p->tcp_dials++;
	p->tcp_ready_at = p->tcp_works ? p->now + PARTY_TCP_RTTS * PARTY_RTT : QUIC_NEVER;
}

static void say_tcp(void *owner, uint64_t type, struct span value)
{
	struct relay_hello hello;
	struct party *p = owner;

	assert_int_equal(type, RELAY_HELLO);
	assert_int_equal(relay_hello_parse(value, &hello, NULL), 0);
	p->tcp_hellos++;
	p->tcp_welcome_at = p->now + PARTY_RTT;
}

static void probe_tcp(void *owner)
{
	struct party *p = owner;

	p->tcp_probes++;
}

static void drop_tcp(void *owner)
{
	struct party *p = owner;

	p->tcp_ready_at = p->tcp_welcome_at = QUIC_NEVER;
}

static const struct link_core_ops core_ops = {
	.up = on_up,
	.peer = on_peer,
	.moved = on_moved,
	.down = on_down,
	.wants_write = on_wants_write,
	.remote = on_remote,
	.dial_tcp = dial_tcp,
	.say_tcp = say_tcp,
	.probe_tcp = probe_tcp,
	.drop_tcp = drop_tcp,
};

struct party *party_new(enum relay_role role, bool udp, bool tcp)
{
	struct party *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->now = 1000 * NSEC_PER_SEC;
	p->settings = (struct link_settings){ .delay_ns = PARTY_RTT / 2 };
	p->up = link_new(&p->settings, 1);
	p->down = link_new(&p->settings, 2);
	p->port = 1000;
	p->tcp_works = tcp;
	p->tcp_ready_at = p->tcp_welcome_at = QUIC_NEVER;
	assert_int_equal(key_pair_generate(&p->relay_key, NULL), 0);
	assert_int_equal(key_pair_generate(&p->job_key, NULL), 0);
	assert_int_equal(key_random_secret(&p->reset_key, NULL), 0);
	p->relay_tls = tls_context_new_relay(&p->relay_key, TLS_ALPN, NULL);
	p->tls = tls_context_new_to_relay(&p->relay_key.public, TLS_ALPN, NULL);
	key_tag(&p->relay_key.public, p->relay_tag.bytes);
	party_start_relay(p);
	p->enrol = (struct enrol){ .role = role, .token = "a-token" };
	p->enrol.key = role == RELAY_JOB ? &p->job_key : NULL;
	key_id(&p->job_key.public, &p->enrol.id);
	quic_tag_random(&p->enrol.tag);
	p->core = link_core_new(&(struct link_core_config){ .tls = p->tls,
							    .enrol = &p->enrol,
							    .relay_tag = p->relay_tag,
							    .link = 16,
							    .udp = udp,
							    .tcp = tcp,
							    .ops = &core_ops,
							    .owner = p },
				p->now);
	return p;
}

void party_free(struct party *p)
{
	link_core_free(p->core);
	party_stop_relay(p);
	tls_context_free(p->relay_tls);
	tls_context_free(p->tls);
	key_pair_finish(&p->relay_key);
	key_pair_finish(&p->job_key);
	link_free(p->up);
	link_free(p->down);
	free(p);
}

static void put(struct party *p, struct link *link, const struct quic_path *seen)
{
	struct span bytes = span_of(p->batch.bytes, p->batch.len);
	const struct link_head head = { .path = *seen, .ecn = p->batch.ecn };

	while (bytes.len > 0)
		link_send(link, p->now, &head, span_cut(&bytes, MIN(p->batch.segment, bytes.len)));
}

static void write_all(struct party *p)
{
	const struct quic_path at_relay = { .local = relay_addr(), .remote = party_addr(p) };
	const struct quic_path at_us = { .local = party_addr(p), .remote = relay_addr() };

	while (link_core_write(p->core, &p->batch, p->now))
		put(p, p->up, &at_relay);
	while (p->server && quic_server_write(p->server, &p->batch, p->now)) {
		/* What goes to an address that we had is lost. */
		if (quic_addr_equal(&p->batch.path.remote, &at_us.local))
			put(p, p->down, &at_us);
	}
}

static void read_all(struct party *p)
{
	struct link_head head;
	struct span bytes;

	while (link_receive(p->up, p->now, &head, &bytes)) {
		if (p->server)
			quic_server_read(p->server, &head.path, head.ecn, bytes, p->now);
	}
	while (link_receive(p->down, p->now, &head, &bytes))
		link_core_read(p->core, head.ecn, bytes, p->now);
}

static void run_tcp(struct party *p)
{
	static const uint8_t binding[RELAY_BINDING_LEN] = { 1 };
	const struct relay_welcome welcome = { .keep_alive_ms = 25000 };
	cleanup(buf_finish) struct buf out = BUF_INIT(256);
	struct span value;

	if (p->tcp_ready_at <= p->now) {
		p->tcp_ready_at = QUIC_NEVER;
		link_core_tcp_ready(p->core, binding, p->now);
	}
	if (p->tcp_welcome_at > p->now)
		return;
	p->tcp_welcome_at = QUIC_NEVER;
	assert_true(relay_welcome_format(&welcome, &out));
	value = buf_span(&out);
	span_cut(&value, 3); /* type and length */
	assert_int_equal(link_core_tcp_hear(p->core, RELAY_WELCOME, value, p->now), 0);
}

/* Runs for that long, or until there were so many ups (0: for that long). */
bool party_run(struct party *p, unsigned int ups, uint64_t limit)
{
	uint64_t end = p->now + limit, next;

	for (;;) {
		if (link_core_deadline(p->core) <= p->now)
			link_core_expire(p->core, p->now);
		if (p->server && quic_server_deadline(p->server) <= p->now)
			quic_server_expire(p->server, p->now);
		read_all(p);
		run_tcp(p);
		write_all(p);
		if (ups && p->ups >= ups)
			return true;
		next = MIN(link_deadline(p->up), link_deadline(p->down));
		next = MIN(next, MIN(p->tcp_ready_at, p->tcp_welcome_at));
		next = MIN(next, link_core_deadline(p->core));
		if (p->server)
			next = MIN(next, quic_server_deadline(p->server));
		if (next > end)
			break;
		p->now = MAX(p->now, next);
	}
	p->now = end;
	return false;
}

void party_cut(struct party *p, bool is_cut)
{
	link_settings(p->up)->is_cut = link_settings(p->down)->is_cut = is_cut;
	link_clear(p->up);
	link_clear(p->down);
}
