/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What comes to the relay's UDP port: packets of its own QUIC server, on whose HTTP/3 connections
 * the streams of capsules are, and packets that are to be forwarded. Which of the two a packet is
 * says the tag of its connection id (quic/tag.h): the relay's own, or another. Others are never
 * answered, not even with a reset, so that an inner connection that meets a relay which knows
 * nobody yet is met by silence.
 *
 * No socket and no clock: it runs in virtual time in tests/sim.
 *
 *	for what was received:     front_received(front, &datagrams, now);
 *	when the deadline passed:  front_expire(front, now);
 *	at the end of the turn:    front_turn(front); then front_write() until it is false
 */

#include "tunnel/net/udp.h"
#include "tunnel/relay/core.h"
#include "tunnel/relay/keys.h"

#define FRONT_CONNS_MAX 65536
/* More than come at once when a relay was restarted, and few enough to be borne. */
#define FRONT_STRANGERS_MAX 4096

struct front;

struct front_config {
	struct core *core;
	const struct relay_keys *keys; /* borrowed for front_new() */
	size_t conns_max;	       /* 0: FRONT_CONNS_MAX */
	size_t strangers_max;	       /* of them, without a registration; 0: FRONT_STRANGERS_MAX */
};

struct front *front_new(const struct front_config *config, struct err *err) attr_must_use;
/* Without a word to anybody. */
struct front *front_free(struct front *front);
DEFINE_CLEANUP(struct front, front_free)

void front_received(struct front *front, const struct udp_datagrams *d, uint64_t now);
bool front_write(struct front *front, struct quic_batch *batch, uint64_t now) attr_must_use;
uint64_t front_deadline(const struct front *front);
void front_expire(struct front *front, uint64_t now);
/* Frees what ended. Not from inside a callback. */
void front_turn(struct front *front);

/* GOAWAY on every connection (RFC 9114 section 5.2). */
void front_drain(struct front *front);
/* Closes every connection, with a reason. */
void front_close(struct front *front, const char *reason);
size_t front_count(const struct front *front);
size_t front_handshakes(const struct front *front);
