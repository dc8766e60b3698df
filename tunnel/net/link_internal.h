/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the files of a link's core share: link_core.c has the interface and the clock, link_ways.c
 * how a way begins and fails, link_heard.c what the relay says.
 */

#include "tunnel/net/link_core.h"

#define LINK_KEEP_ALIVE (25 * NSEC_PER_SEC)

enum way_state { WAY_IDLE, WAY_DIALLING, WAY_READY, WAY_HELLO, WAY_UP };

/* Also what the callbacks of its control stream get. */
struct way {
	struct link_core *core;
	enum link_way which;
	bool is_allowed;
	enum way_state state;
	uint64_t next_at; /* WAY_IDLE: when to dial */
	uint64_t since;	  /* the state began */
	unsigned int failures, probes;
	struct err why; /* of the last failure */
};

struct link_core {
	struct link_core_config config;
	struct quic_tag tag;
	struct way ways[LINK_WAYS];
	enum link_way used;
	struct link_udp *udp;
	bool udp_is_over;   /* to be freed once no callback runs */
	bool udp_has_ended; /* by itself, for this reason, which is still to be acted on */
	struct err udp_why;
	uint8_t binding[RELAY_BINDING_LEN];
	uint64_t now;
	uint64_t keep_alive;
	uint64_t check_at, check_from; /* something must have come by then; QUIC_NEVER: no check */
	uint64_t woken_at;
	uint64_t unanswered_at; /* the first packet that nothing followed; QUIC_NEVER: none */
	uint64_t patience;	/* how long that may last */
	bool was_up, is_closed, is_final, peer_is_here, udp_failed;
	struct relay_address observed, second;
};

/* link_ways.c */
bool way_is_busy(const struct way *way);
struct way *way_other(struct way *way);
void way_set_state(struct way *way, enum way_state state);
/* To be dialled then at the latest, if it may be and is idle. */
void way_hurry(struct way *way, uint64_t at);
/* Given up, without a word to anybody. */
void way_let_go(struct way *way);
/* The same, and it comes back: not before the pause is over, if there is one. */
void way_fail(struct way *way, const struct err *why, uint64_t pause);
/* When UDP is tried again while TCP is in use. */
void way_probe_later(struct way *way);
void way_dial(struct way *way);
/* The relay's key is proved: HELLO is said if this way is the one to use. */
void way_ready(struct way *way);
void way_say_hello(struct way *way);
/* How long UDP goes alone. */
uint64_t way_tcp_after(const struct link_core *core);

/* link_heard.c; the owner is the way. */
extern const struct enrol_ops link_heard;
