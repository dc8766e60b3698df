/* SPDX-License-Identifier: MIT */
/* A link's byte stream to the relay: control and inner packets in capsules; see link.h. */
#include "tunnel/net/clock.h"
#include "tunnel/net/link_private.h"

/* A stream through a proxy ends when nothing passes for a minute; so does many a NAT's mapping. */
#define KEEP_ALIVE (25 * NSEC_PER_SEC)

struct tls_context *link_tcp_tls(const struct relay_site *site, struct err *err)
{
	return site->ca ? tls_context_new_to_web(site->ca, err)
			: tls_context_new_to_relay(&site->key, TLS_ALPN_HTTP1, err);
}

/*
 * A relay behind a proxy that ends TLS makes up for the exporter. From any other one a challenge is
 * ignored: what it had signed it could show to another relay as ours.
 */
static void hear_challenge(struct link *l, struct span value)
{
	uint8_t binding[RELAY_BINDING_LEN];
	struct err err;

	if (relay_challenge_parse(value, binding, &err) < 0)
		link_core_tcp_over(l->core, &err, clock_now());
	else
		link_core_tcp_ready(l->core, binding, clock_now());
}

static void on_up(struct carrier *carrier, void *owner)
{
	cleanup(secret_finish) struct secret binding = { 0 };
	struct link *l = owner;
	struct err err;

	l->dirty = true;
	if (l->config.site->ca)
		return;
	if (carrier_export(carrier, RELAY_EXPORT_LABEL, &binding, &err) < 0)
		link_core_tcp_over(l->core, &err, clock_now());
	else
		link_core_tcp_ready(l->core, binding.bytes, clock_now());
}

static void on_datagrams(struct carrier *carrier, void *owner, const struct udp_datagrams *d)
{
	struct link *l = owner;

	if (carrier != l->carrier || link_core_way(l->core) != LINK_TCP)
		return;
	link_core_answered(l->core);
	path_received(&l->path, d);
}

static int on_capsule(struct carrier *carrier, void *owner, uint64_t type, struct span value,
		      struct err *err)
{
	struct link *l = owner;

	(void)err;
	l->dirty = true;
	if (type == RELAY_CHALLENGE) {
		if (carrier == l->carrier && l->config.site->ca)
			hear_challenge(l, value);
		return 0;
	}
	/* A stream that is broken is dropped at the end of the turn. */
	if (carrier == l->carrier)
		(void)!link_core_tcp_hear(l->core, type, value, clock_now());
	return 0;
}

static void on_turn(struct carrier *carrier, void *owner)
{
	struct link *l = owner;

	if (carrier == l->carrier)
		path_turn(&l->path);
}

static void on_writable(struct carrier *carrier, void *owner)
{
	struct link *l = owner;

	if (carrier == l->carrier && link_core_way(l->core) == LINK_TCP)
		path_writable(&l->path);
}

static void on_over(struct carrier *carrier, void *owner, const struct err *why)
{
	struct link *l = owner;

	l->dirty = true;
	if (carrier == l->carrier)
		link_core_tcp_over(l->core, why, clock_now());
}

void link_tcp_dial(void *owner)
{
	static const struct carrier_ops ops = {
		.up = on_up,
		.datagrams = on_datagrams,
		.capsule = on_capsule,
		.turn = on_turn,
		.writable = on_writable,
		.over = on_over,
	};
	struct link *l = owner;
	const struct carrier_config config = {
		.dial = {
			.loop = l->config.loop,
			.host = l->config.site->host,
			.port = l->config.site->port,
			.use_proxy = true,
			.tls = l->tls_tcp,
			.path = RELAY_PATH,
			.protocol = RELAY_PROTOCOL,
			.websocket = true,
		},
		.keep_alive_ns = KEEP_ALIVE,
		.ops = &ops,
		.owner = l,
	};

	link_tcp_clean(l);
	l->carrier = carrier_dial(&config);
}

void link_tcp_say(void *owner, uint64_t type, struct span value)
{
	struct link *l = owner;

	/* A stream in which nothing has room any more ends by itself. */
	(void)!carrier_send(l->carrier, type, value);
}

void link_tcp_probe(void *owner)
{
	struct link *l = owner;

	carrier_probe(l->carrier);
}

void link_tcp_drop(void *owner)
{
	struct link *l = owner;

	link_tcp_clean(l);
	l->former = take_ptr(l->carrier);
	l->dirty = true;
}

bool link_tcp_send(struct link *l, const struct quic_batch *batch)
{
	(void)carrier_send_batch(l->carrier, batch);
	return !carrier_is_blocked(l->carrier);
}

bool link_tcp_is_blocked(const struct link *l)
{
	return link_core_way(l->core) == LINK_TCP && l->carrier && carrier_is_blocked(l->carrier);
}

void link_tcp_clean(struct link *l)
{
	carrier_close(l->former);
	l->former = NULL;
}
