/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Two ends behind NATs, a client and a job, each with its agent, in virtual time; a relay that
 * carries what they tell each other; and the open Internet between them, which loses and delays.
 *
 *	struct yard_config config = { .client = &NAT_MODERATE, .job = &NAT_STRICT };
 *	struct yard *yard = yard_new(&config);
 *
 *	assert_true(yard_run(yard, yard_is_direct, 4 * NSEC_PER_SEC));
 *
 * The clock starts when the client's handshake over the relay is complete; the job's agent begins
 * when the client's first words reach it, and answers at once.
 */

#include "tests/sim/link.h"
#include "tests/sim/nat.h"
#include "tunnel/ice/agent.h"

#define YARD_START (1000 * NSEC_PER_SEC)

enum yard_who { YARD_CLIENT, YARD_JOB };
#define YARD_ENDS 2

struct yard_config {
	const struct nat_kind *client, *job;
	bool v4, v6;		  /* families that both have; none: IPv4 */
	struct link_settings way; /* each direction of the direct way */
	uint64_t relay_delay_ns;  /* one way, from end to end; 0: as the direct way */
	/* They are on one network and reach each other there in this time; 0: they are not. */
	uint64_t lan_delay_ns;
	uint64_t v6_extra_ns; /* IPv6 takes so much longer, each way */
	/* The relay tells both that they come from here, port and all; all zero: the truth. */
	struct quic_addr lie;
	uint64_t seed;
};

struct yard_end {
	struct ice_agent *agent; /* NULL: not begun */
	struct nat *nat;
	struct quic_addr host[2]; /* inside; one a family */
	struct link *out;	  /* to the other end */
	struct ice_candidate chosen;
	uint64_t chosen_at, lost_at; /* 0: never */
	uint64_t rtt_ns;
	size_t rounds, choices, losses;
	size_t sent, answered_to_others; /* packets; to addresses that are nobody's */
	uint64_t last_sent_at, closest_ns;
};

struct yard_word {
	uint64_t at;
	enum yard_who to;
	struct ice_event event;
};
#define YARD_WORDS_MAX 256

struct yard {
	struct yard_config config;
	uint64_t now;
	struct yard_end ends[YARD_ENDS];
	struct link *lan[YARD_ENDS]; /* from that end */
	struct yard_word words[YARD_WORDS_MAX];
	size_t word_count;
	/* What leaves an end passes here first; false: it is dropped. */
	bool (*tap)(struct yard *yard, enum yard_who from, const struct ice_packet *packet);
	void *user;
};

struct yard *yard_new(const struct yard_config *config);
struct yard *yard_free(struct yard *yard);
DEFINE_CLEANUP(struct yard, yard_free)

/* Runs until done is true, or for that long. NULL: for that long. */
bool yard_run(struct yard *yard, bool (*done)(const struct yard *yard), uint64_t limit_ns);
bool yard_is_direct(const struct yard *yard); /* the client has a way */
bool yard_is_lost(const struct yard *yard);

/* A packet reaches an end from this source, whatever the NATs think of it. */
bool yard_deliver(struct yard *yard, enum yard_who to, const struct quic_addr *from,
		  struct span bytes);
/* The end got other addresses, behind the same NAT, and noticed. */
void yard_move(struct yard *yard, enum yard_who who);
void yard_cut(struct yard *yard, bool is_cut);
/* "203.0.113.1", "2001:db8::1" */
struct quic_addr yard_addr(const char *text, uint16_t port);
