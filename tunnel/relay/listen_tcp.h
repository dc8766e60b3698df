/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The relay's TCP port, for who gets no UDP through: TLS with the relay's key, HTTP/1.1, and on
 * `GET /relay` with `Upgrade: berth-relay` (or a WebSocket with that subprotocol) a stream of
 * capsules (control.h), on which packets travel as DATAGRAM capsules. `GET /health` is answered
 * with "ok", or 503 while the relay drains.
 *
 * Behind a proxy that ends TLS it speaks plain HTTP, and the first capsule is a CHALLENGE, which
 * takes the place of the TLS exporter.
 *
 * Limits. So many connections, and so many from one address (behind a proxy, which is one address,
 * only the first); ten seconds for TLS and the request. A leg that does not read gets a queue of
 * LISTEN_TCP_QUEUE bytes, and datagrams for it that find it longer are dropped, as a router would:
 * QUIC finds its pace by that. Who sends nothing for long is ended by core.h.
 */

#include <uv.h>

#include "tunnel/relay/core.h"
#include "tunnel/relay/keys.h"

#define LISTEN_TCP_MAX 16384
#define LISTEN_TCP_PER_ADDRESS_MAX 1024
#define LISTEN_TCP_QUEUE (192 * 1024)

struct listen_tcp;

struct listen_tcp_config {
	uv_loop_t *loop;
	struct core *core;
	const struct relay_keys *keys; /* borrowed for listen_tcp_new() */
	struct quic_addr listen;
	bool is_plain;		     /* a proxy ends TLS before us */
	size_t max, per_address_max; /* 0: the values above */
	/* Something was fed to the core: core_turn() is due, and its deadline may have changed. */
	void (*dirty)(void *owner);
	void *owner;
};

struct listen_tcp *listen_tcp_new(const struct listen_tcp_config *config, struct err *err)
	attr_must_use;
const struct quic_addr *listen_tcp_local(const struct listen_tcp *listener);
/* From here on NULL is fine. */

/* Nobody new, and /health says so. The core has told those who are there. */
void listen_tcp_drain(struct listen_tcp *listener);
/* Connections that are there, and those that were refused since the start. */
size_t listen_tcp_count(const struct listen_tcp *listener);
uint64_t listen_tcp_refused(const struct listen_tcp *listener);
/*
 * Ends every connection, whose controls are closed at once, so that the core may be freed; closed()
 * is called when the loop has everything back; at once for NULL.
 */
void listen_tcp_close(struct listen_tcp *listener, void (*closed)(void *owner), void *owner);
