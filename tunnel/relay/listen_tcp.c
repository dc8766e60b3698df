/* SPDX-License-Identifier: MIT */
/* The relay's TCP port; see listen_tcp.h. */
#include "listen_tcp.h"

#include <string.h>

#include "init/base/alloc.h"
#include "init/base/log.h"
#include "tunnel/net/carrier.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/stream_port.h"
#include "tunnel/relay/control.h"

#define PROTOCOL "berth-relay"

/* One connection: a request first, then capsules. */
struct caller {
	struct caller *prev, *next;
	struct listen_tcp *listener;
	struct stream *stream;
	struct carrier *carrier; /* NULL: nothing was agreed yet */
	struct control control;
	bool is_ending;
	uint8_t challenge[RELAY_BINDING_LEN];
};

struct listen_tcp {
	struct listen_tcp_config config;
	struct tls_context *tls;
	struct stream_port *port;
	struct caller *callers;
	bool is_draining;
	uv_timer_t timer; /* there is one, so that the loop says when everything is gone */
	void (*closed)(void *owner);
	void *owner;
};

static void leave(struct caller *caller)
{
	struct listen_tcp *l = caller->listener;

	control_close(&caller->control);
	stream_port_release(l->port, stream_remote(caller->stream));
	if (caller->carrier)
		carrier_close(caller->carrier);
	else
		stream_close(caller->stream);
	if (caller->prev)
		caller->prev->next = caller->next;
	else
		l->callers = caller->next;
	if (caller->next)
		caller->next->prev = caller->prev;
	free(caller);
}

static void leave_with(struct caller *caller, const struct err *why)
{
	if (why->kind != ERR_NONE)
		log_debug("tcp: %s", why->text);
	leave(caller);
}

/* What the control says */

static bool on_send(void *transport, struct span bytes)
{
	struct caller *caller = transport;

	return carrier_send_whole(caller->carrier, bytes);
}

static void on_end(void *transport)
{
	struct caller *caller = transport;
	struct err why;

	if (caller->is_ending)
		return;
	caller->is_ending = true;
	err_set(&why, ERR_NONE, "ended");
	carrier_finish(caller->carrier, &why);
}

static int on_binding(void *transport, uint8_t ret[RELAY_BINDING_LEN], struct err *err)
{
	cleanup(secret_finish) struct secret binding = { 0 };
	const struct caller *caller = transport;

	if (caller->listener->config.is_plain) {
		memcpy(ret, caller->challenge, RELAY_BINDING_LEN);
		return 0;
	}
	if (carrier_export(caller->carrier, "relay", &binding, err) < 0)
		return -1;
	memcpy(ret, binding.bytes, RELAY_BINDING_LEN);
	return 0;
}

static size_t on_forward(void *transport, size_t segment, struct span bytes)
{
	struct caller *caller = transport;

	if (caller->is_ending || carrier_waiting(caller->carrier) + bytes.len > LISTEN_TCP_QUEUE)
		return (bytes.len + segment - 1) / segment;
	(void)carrier_send_run(caller->carrier, bytes, segment);
	return 0;
}

static const struct control_ops control_ops = { on_send, on_end, on_binding, on_forward };

/* What the endpoint says */

static void on_datagrams(struct carrier *carrier, void *owner, const struct udp_datagrams *d)
{
	struct caller *caller = owner;
	struct listen_tcp *l = caller->listener;

	(void)carrier;
	control_datagrams(&caller->control, d->segment, d->bytes, clock_now());
	l->config.dirty(l->config.owner);
}

static int on_capsule(struct carrier *carrier, void *owner, uint64_t type, struct span value,
		      struct err *err)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(CARRIER_VALUE_MAX + CAPSULE_HEAD_MAX);
	struct caller *caller = owner;
	struct listen_tcp *l = caller->listener;

	(void)carrier;
	if (!capsule_append(&b, type, value))
		return err_set(err, ERR_LIMIT, "a capsule is too long");
	control_feed(&caller->control, buf_span(&b), clock_now());
	l->config.dirty(l->config.owner);
	return 0;
}

static void on_writable(struct carrier *carrier, void *owner)
{
	/* Nobody waits for it: what did not fit was dropped. */
	(void)carrier;
	(void)owner;
}

static void on_carrier_over(struct carrier *carrier, void *owner, const struct err *why)
{
	struct caller *caller = owner;
	struct listen_tcp *l = caller->listener;

	(void)carrier;
	leave_with(caller, why);
	l->config.dirty(l->config.owner);
}

static const struct carrier_ops carrier_ops = {
	.datagrams = on_datagrams,
	.capsule = on_capsule,
	.writable = on_writable,
	.over = on_carrier_over,
};

static void challenge(struct caller *caller)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(RELAY_VALUE_MAX);

	if (uv_random(NULL, NULL, caller->challenge, sizeof(caller->challenge), 0, NULL) < 0)
		abort(); /* a signature over what is not random proves nothing */
	/* The first bytes of a stream always fit. */
	if (relay_challenge_format(caller->challenge, &b))
		(void)!carrier_send_whole(caller->carrier, buf_span(&b));
}

static void agree(struct caller *caller)
{
	struct listen_tcp *l = caller->listener;
	struct control_config config = {
		.core = l->config.core,
		.ops = &control_ops,
		.transport = caller,
		.path.remote = *stream_remote(caller->stream),
		.is_stream = true,
		.is_proxied = l->config.is_plain,
		.now = clock_now(),
	};

	caller->carrier = carrier_new(caller->stream, l->config.loop, &carrier_ops, caller);
	if (l->config.is_plain)
		challenge(caller);
	control_open(&caller->control, &config);
	l->config.dirty(l->config.owner);
}

static void on_request(struct stream *stream, void *owner, const struct http1_head *head)
{
	struct caller *caller = owner;
	bool is_draining = caller->listener->is_draining;

	if (span_equal_str(head->target, "/health"))
		stream_respond(stream, is_draining ? 503 : 200, is_draining ? "draining" : "ok");
	else if (!span_equal_str(head->target, "/relay"))
		stream_respond(stream, 404, "this is a relay of berth");
	else if (is_draining)
		stream_respond(stream, 503, "draining");
	else if (stream_accept(stream, head, PROTOCOL))
		agree(caller);
	else
		stream_respond(stream, 426, "ask for an Upgrade to " PROTOCOL);
}

static void on_stream_over(struct stream *stream, void *owner, const struct err *why)
{
	(void)stream;
	leave_with(owner, why);
}

static const struct stream_ops stream_ops = { .request = on_request, .over = on_stream_over };

static void on_accepted(void *owner, int fd, const struct quic_addr *from)
{
	struct listen_tcp *l = owner;
	struct caller *caller = new_zero(struct caller);
	struct stream_accept_config config = { .loop = l->config.loop, .fd = fd, .tls = l->tls };

	(void)from;
	caller->listener = l;
	caller->next = l->callers;
	if (l->callers)
		l->callers->prev = caller;
	l->callers = caller;
	caller->stream = stream_new_accepted(&config, &stream_ops, caller);
}

struct listen_tcp *listen_tcp_new(const struct listen_tcp_config *config, struct err *err)
{
	struct listen_tcp *l = new_zero(struct listen_tcp);
	size_t max = config->max ? config->max : LISTEN_TCP_MAX;
	size_t per_address =
		config->per_address_max ? config->per_address_max : LISTEN_TCP_PER_ADDRESS_MAX;
	struct stream_port_config port = { .loop = config->loop,
					   .listen = config->listen,
					   .max = max,
					   .per_address_max = config->is_plain ? 0 : per_address,
					   .accepted = on_accepted,
					   .owner = l };

	l->config = *config;
	if (!config->is_plain) {
		l->tls = tls_context_new_relay(&config->keys->pair, TLS_ALPN_HTTP1, err);
		if (!l->tls) {
			free(l);
			return NULL;
		}
	}
	l->port = stream_port_new(&port, err);
	if (!l->port) {
		tls_context_free(l->tls);
		free(l);
		return NULL;
	}
	uv_timer_init(config->loop, &l->timer);
	l->timer.data = l;
	return l;
}

const struct quic_addr *listen_tcp_local(const struct listen_tcp *l)
{
	return stream_port_local(l->port);
}

void listen_tcp_drain(struct listen_tcp *l)
{
	if (l)
		l->is_draining = true;
}

size_t listen_tcp_count(const struct listen_tcp *l)
{
	return l ? stream_port_count(l->port) : 0;
}

uint64_t listen_tcp_refused(const struct listen_tcp *l)
{
	return l ? stream_port_refused(l->port) : 0;
}

static void on_timer_closed(uv_handle_t *handle)
{
	struct listen_tcp *l = handle->data;

	/* Streams that are on their way out have let go of it: they were closed before. */
	tls_context_free(l->tls);
	if (l->closed)
		l->closed(l->owner);
	free(l);
}

void listen_tcp_close(struct listen_tcp *l, void (*closed)(void *owner), void *owner)
{
	if (!l) {
		closed(owner);
		return;
	}
	while (l->callers)
		leave(l->callers);
	l->closed = closed;
	l->owner = owner;
	stream_port_close(l->port);
	uv_close((uv_handle_t *)&l->timer, on_timer_closed);
}
