/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A relay without its sockets: registrations (legs.h), whom it admits (admit.h), how often an
 * address may try (limit.h), the streams of capsules (control.h), and what becomes of a packet.
 *
 * Whoever owns the sockets makes a struct control for each stream, feeds it, calls core_route() for
 * datagrams that are no QUIC of the relay's own, core_expire() when the deadline passed, and
 * core_turn() at the end of each turn of the loop.
 *
 *	network -> front (QUIC, HTTP/3) -> control -> legs, admit
 *	        -> a TCP listener       -> control
 *	        -> core_route() -> send() or the other leg's control_ops.forward()
 *
 * Nothing is ever sent by UDP but to the address of a leg, which QUIC has validated.
 */

#include "tunnel/relay/admit.h"
#include "tunnel/relay/legs.h"
#include "tunnel/relay/limit.h"

#define CORE_KEEP_ALIVE_MS 25000
#define CORE_SILENT_NS (75 * NSEC_PER_SEC) /* a byte stream that says nothing for so long ends */
#define CORE_HELLO_NS (10 * NSEC_PER_SEC)  /* a stream says HELLO within that time, or ends */

struct control;

struct core_ops {
	/* Datagrams of one size (the last may be shorter) to the address of a leg, now or never. */
	void (*send)(void *owner, const struct quic_path *path, uint8_t ecn, size_t segment,
		     struct span bytes);
};

struct core_config {
	const struct core_ops *ops;
	void *owner;
	uint64_t (*wall)(void);	     /* seconds since the epoch */
	struct relay_address second; /* what WELCOME tells; all zero: none */
	uint32_t address_rate;	     /* registrations a second from one address; 0: 200 */
};

/* Why a packet or a registration was dropped, for the metrics: symbol and label. */
#define CORE_DROPS(X)          \
	X(UNKNOWN, "unpaired") \
	X(RATE, "rate")        \
	X(BLOCKED, "blocked")  \
	X(FOREIGN, "not_quic")

enum core_drop {
#define X(symbol, label) CORE_DROP_##symbol,
	CORE_DROPS(X)
#undef X
		CORE_DROP_COUNT
};

#define CORE_CODES 11 /* one more than the largest RELAY_CODE */

struct core_stats {
	uint64_t registered[2];
	uint64_t refused[CORE_CODES];
	uint64_t packets[2], bytes[2]; /* forwarded from a job, from a client */
	uint64_t dropped[CORE_DROP_COUNT];
	uint64_t moved;
};

struct core {
	struct core_config config;
	struct legs *legs;
	struct admit *admit;
	struct limit *failures, *attempts;
	struct control *controls;		      /* registered, newest first */
	struct control *waiting_first, *waiting_last; /* for their HELLO, oldest first */
	size_t control_count, udp_count;	      /* all; those that are registered over UDP */
	uint64_t tick_at;
	bool any_broken, is_draining;
	struct core_stats stats;
};

struct core *core_new(const struct core_config *config) attr_must_use;
/* All controls must have been closed. */
struct core *core_free(struct core *core);
DEFINE_CLEANUP(struct core, core_free)

/* The file of tokens; whoever is in it no more is refused at once. */
int core_load(struct core *core, struct span text, struct err *err) attr_must_use;

/* Datagrams with this tag that came from an address by UDP. */
void core_route(struct core *core, const struct quic_addr *from, uint64_t tag, uint8_t ecn,
		size_t segment, struct span bytes, uint64_t now);
/* From a leg that is known, by whatever way they came. */
void core_forward(struct core *core, struct leg *from, struct leg *to, uint8_t ecn, size_t segment,
		  struct span bytes, uint64_t now);
void core_drop(struct core *core, enum core_drop why, size_t packets);

uint64_t core_deadline(const struct core *core);
void core_expire(struct core *core, uint64_t now);
/* Ends the streams that took no more. */
void core_turn(struct core *core);

/* Tells everybody to go elsewhere, or to come again after that time. New ones are refused. */
void core_drain(struct core *core, uint32_t retry_ms);
const char *core_drop_label(enum core_drop why);
