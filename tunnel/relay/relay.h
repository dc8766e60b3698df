/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The relay as a program runs it: the UDP port (front.h), its core, metrics, and the signals of a
 * site. Everything happens in the turns of one libuv loop, and nothing in it blocks.
 *
 * Packets that are forwarded leave at once, from the memory that they were received into: one
 * recvmsg(2) with up to 64 of them in, one sendmsg(2) out. What the relay itself has to say leaves
 * at the end of the turn.
 */

#include <uv.h>

#include "tunnel/relay/front.h"

struct relay;

struct relay_config {
	uv_loop_t *loop;
	const struct relay_keys *keys; /* borrowed; must outlive the relay */
	const char *tokens;	       /* path of the file; read again by relay_reload() */
	struct quic_addr listen;
	struct quic_addr behind_proxy; /* plain HTTP; all zero: none */
	struct quic_addr metrics;      /* all zero: none */
	struct quic_addr second;       /* another UDP address (second.h); all zero: none */
	uint32_t address_rate;	       /* see core_config */
	size_t connections;	       /* 0: FRONT_CONNS_MAX */
	uint64_t drain_ns;	       /* how long relay_drain() waits for those that are there */
	void (*closed)(void *owner);   /* after relay_drain() and relay_close() */
	void *owner;
};

struct relay *relay_new(const struct relay_config *config, struct err *err) attr_must_use;
const struct quic_addr *relay_local(const struct relay *relay);
/* NULL: there is no such listener. */
const struct quic_addr *relay_metrics_local(const struct relay *relay);

/* Reads the tokens again; what is wrong with them is logged, and the old ones stay. */
void relay_reload(struct relay *relay);
/*
 * Tells everybody to go, takes nobody new, forwards until the last has left or the time is over,
 * and closes itself. A second call closes at once.
 */
void relay_drain(struct relay *relay);
/* Closes connections, and frees itself before closed(). */
void relay_close(struct relay *relay);
