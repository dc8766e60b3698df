/* SPDX-License-Identifier: MIT */
#pragma once

/* What the files of a link on the loop share: link.c has UDP and the whole, link_tcp.c TCP. */

#include "tunnel/net/carrier.h"
#include "tunnel/net/hub.h"
#include "tunnel/net/link.h"
#include "tunnel/net/link_core.h"
#include "tunnel/net/relay_site.h"
#include "tunnel/net/resolve.h"
#include "tunnel/net/route.h"
#include "tunnel/net/timer.h"
#include "tunnel/net/turn.h"

struct link {
	struct link_config config;
	struct enrol enrol;
	struct link_core *core;
	struct tls_context *tls, *tls_tcp;
	struct path path;
	struct hub_user user;
	struct timer timer;
	struct turn turn;
	bool dirty; /* the timer is to be set */
	bool closing;
	/* Where the relay is. */
	struct resolver *resolver;
	struct resolve_query *query;
	struct quic_addr remotes[RESOLVE_MAX], remote;
	size_t remote_count, dialled; /* how many dials were in vain */
	uint64_t resolved_at;
	struct err unresolved;
	/* From where it is reached; none while there is no route. */
	struct route route;
	struct quic_addr source;
	/* The byte stream: what is in use or being dialled, and what ends with the turn. */
	struct carrier *carrier, *former;
	/* A batch of the path's user that waits for room in the socket. */
	const struct quic_batch *waiting;
	unsigned int handles;
	void (*closed)(void *owner);
	void *owner;
};

/* link.c: something happened, so that there may be packets to write, and another deadline. */
void link_touch(struct link *link);

/* link_where.c */
bool link_parse_literal(struct link *link); /* "192.0.2.1" and "2001:db8::1": nobody is asked */
void link_resolve(struct link *link);
bool link_where(void *owner, struct quic_addr *ret); /* link_core_ops.remote */
/* The address that the kernel would reach it from now; all zero: none. */
struct quic_addr link_source(const struct link *link);
void link_route_changed(void *owner);

/* link_tcp.c, as link_core_ops. */
/* What the stream's TLS is to be: the relay's key, or the certificate of a proxy before it. */
struct tls_context *link_tcp_tls(const struct relay_site *site, struct err *err);
void link_tcp_dial(void *owner);
void link_tcp_say(void *owner, uint64_t type, struct span value);
void link_tcp_probe(void *owner);
void link_tcp_drop(void *owner);
/* Sends over the stream; false: what comes next has to wait. */
bool link_tcp_send(struct link *link, const struct quic_batch *batch);
/* It has not taken all yet. */
bool link_tcp_is_blocked(const struct link *link);
/* Streams that were dropped inside their own callbacks. */
void link_tcp_clean(struct link *link);
