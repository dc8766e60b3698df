/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The part of a link (link.h) that decides: when to dial which way, when to say HELLO, when a way
 * counts as dead, when to come back. Like quic/conn.h it does no I/O and knows no clock, so that
 * the simulator runs it in virtual time. UDP is in here (link_udp.h); the byte stream is the
 * owner's, who is told when to dial it and tells what came of that.
 *
 *	 IDLE --next_at--> DIALLING --ready--> HELLO --WELCOME--> UP
 *	   ^                  |                  |                 |
 *	   `------------------+---- failed ------+-----------------'
 *
 * HELLO is said on one way at a time, since the relay forwards on the last one that said it. UDP
 * goes first; while TCP is in use and UDP gets ready, HELLO there moves the registration.
 */

#include "tunnel/net/link_udp.h"
#include "tunnel/net/udp.h"

#define LINK_CORE_TCP_AFTER (250 * NSEC_PER_MSEC)

enum link_way { LINK_UDP, LINK_TCP, LINK_WAYS };
#define LINK_NO_WAY LINK_WAYS

struct link_core_ops {
	/* As in link.h; up() with the way that is used from now on. */
	void (*up)(void *owner, enum link_way way);
	void (*peer)(void *owner, const struct quic_tag *tag, bool is_here);
	void (*moved)(void *owner);
	void (*down)(void *owner, const struct err *why, bool is_final);
	void (*wants_write)(void *owner);
	/* Where the relay is reached over UDP; false: not known yet, or not at all. */
	bool (*remote)(void *owner, struct quic_addr *ret);
	/* The byte stream. It answers with link_core_tcp_ready() or link_core_tcp_over(). */
	void (*dial_tcp)(void *owner);
	void (*say_tcp)(void *owner, uint64_t type, struct span value);
	void (*probe_tcp)(void *owner); /* it ends when the relay does not answer */
	void (*drop_tcp)(void *owner);
};

struct link_core_config {
	const struct tls_context *tls; /* to the relay, for QUIC; these are borrowed */
	const struct enrol *enrol;
	struct quic_tag relay_tag; /* of the relay's own ids: key_tag() of its key */
	unsigned int link;	   /* LL of synthetic addresses, see path.h */
	bool udp, tcp;
	const struct link_core_ops *ops;
	void *owner;
};

struct link_core;

struct link_core *link_core_new(const struct link_core_config *config, uint64_t now);
struct link_core *link_core_free(struct link_core *core);
DEFINE_CLEANUP(struct link_core, link_core_free)
/* Goodbye: the last packets are written next, and nothing is told any more. */
void link_core_close(struct link_core *core);

/* The tag of the control connection's own ids. */
const struct quic_tag *link_core_tag(const struct link_core *core);

/* A control packet of the relay, or one that nobody knows: the relay may have restarted. */
void link_core_read(struct link_core *core, uint8_t ecn, struct span packet, uint64_t now);
bool link_core_write(struct link_core *core, struct quic_batch *batch, uint64_t now) attr_must_use;
uint64_t link_core_deadline(const struct link_core *core);
void link_core_expire(struct link_core *core, uint64_t now);

/*
 * Inner packets left, or came: a relay that has forgotten us drops ours without a word, so that the
 * link asks it when they are unanswered for long.
 */
void link_core_sent(struct link_core *core, uint64_t now);
void link_core_answered(struct link_core *core);

/*
 * The machine slept, the job is silent, or (has_changed) the network is another one: asks the relay
 * for a sign of life by a fresh way, and tries at once what was waiting.
 */
void link_core_wake(struct link_core *core, bool has_changed, uint64_t now);

/*
 * We are somewhere else: begins anew. Moving the connection that is there would be a round trip
 * faster, but a server takes a client that comes back to a former address, with the port that it
 * had, for a late packet from there, and stays where it is.
 */
void link_core_redial(struct link_core *core, uint64_t now);

/* The byte stream is there and bound to this; HELLO may be said. */
void link_core_tcp_ready(struct link_core *core, const uint8_t binding[RELAY_BINDING_LEN],
			 uint64_t now);
void link_core_tcp_over(struct link_core *core, const struct err *why, uint64_t now);
/* A capsule came by it, DATAGRAM too. -1: the stream is broken, tcp_over() was done. */
int link_core_tcp_hear(struct link_core *core, uint64_t type, struct span value, uint64_t now);

/* The way in use, or LINK_NO_WAY. */
enum link_way link_core_way(const struct link_core *core);
bool link_core_peer_is_here(const struct link_core *core);
/* Where the relay saw us over UDP, and its other address; family 0: not known. */
const struct relay_address *link_core_observed(const struct link_core *core);
const struct relay_address *link_core_second(const struct link_core *core);
/* Over UDP; 0: never. */
uint64_t link_core_heard_at(const struct link_core *core);
uint64_t link_core_rtt(const struct link_core *core);
/* Why this way failed last; ERR_NONE: it did not since it was up. */
const struct err *link_core_error(const struct link_core *core, enum link_way way);
