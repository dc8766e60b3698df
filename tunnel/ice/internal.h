/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the files of this folder share: agent.c has rounds, events and the choice, pair.c what is
 * checked when, packet.c what the packets say.
 *
 * A pair is a remote address: the local half is the socket, whatever address the kernel gives it.
 * It has at most one series of checks at a time, which ends with an answer or is given up.
 */

#include "tunnel/ice/agent.h"

#define ICE_NAME_LEN 16	    /* hexadecimal; ice-char of RFC 8839 section 5.4 */
#define ICE_PASSWORD_LEN 48 /* the same: 192 bits */
#define ICE_USERNAME_LEN (2 * ICE_NAME_LEN + 1)
/* 20, 40, 80... ms make eight in four seconds; requests of the peer may add some. */
#define ICE_SERIES_MAX 12
#define ICE_ANSWERS_MAX 16
#define ICE_SEEN_MAX 64

struct ice_pair {
	struct quic_addr remote;
	enum ice_kind kind;
	bool is_told;	    /* it is a candidate of the peer's round */
	unsigned int order; /* the peer's, best first */
	bool is_valid, valid_is_due;
	uint64_t rtt_ns; /* 0: not measured */
	/* The series that is running. */
	bool is_checking;
	bool is_triggered; /* the peer is checking us: before all others */
	unsigned int sent;
	uint64_t due_at, give_up_at;
	uint64_t sent_at[ICE_SERIES_MAX];
	uint8_t transaction[STUN_TRANSACTION_LEN]; /* the last byte counts the checks */
};

struct ice_local {
	struct ice_candidate candidate;
	bool is_told;
};

struct ice_answer {
	struct quic_path path;
	uint8_t transaction[STUN_TRANSACTION_LEN];
	unsigned int error; /* 0: success */
};

/* A request that came, so that nobody repeats it from elsewhere. */
struct ice_seen {
	uint8_t transaction[STUN_TRANSACTION_LEN];
	struct quic_addr from;
};

/* How one end is named and what protects the requests that it gets. */
struct ice_end {
	char name[ICE_NAME_LEN + 1];
	char password[ICE_PASSWORD_LEN + 1];
};

struct ice_agent {
	enum ice_role role;
	struct ice_end ours, theirs;
	uint64_t tie_breaker;

	struct ice_local locals[ICE_CANDIDATES_MAX];
	size_t local_count;
	bool allows_loopback;

	struct ice_pair *pairs;
	size_t pair_count, pair_size;
	unsigned int order;
	size_t chosen; /* an index, or ICE_NONE */
	bool chosen_is_due, lost_is_due;
	struct ice_candidate lost;

	uint64_t round, round_at; /* round_at: when the next begins by itself */
	bool round_is_due;
	unsigned int fruitless; /* rounds in a row */
	unsigned int budget;	/* checks that this round may still send */
	uint64_t budget_at;	/* when it was filled */
	uint64_t keep_at;	/* when the chosen pair is checked again */

	/* Pacing: a bucket that is full when full_at has passed. */
	uint64_t full_at;
	uint64_t sent;

	struct ice_answer answers[ICE_ANSWERS_MAX];
	size_t answer_first, answer_count;
	struct ice_seen seen[ICE_SEEN_MAX];
	size_t seen_next;
};

#define ICE_NONE SIZE_MAX

/* Whether another host can be reached there at all. */
bool ice_is_usable(const struct quic_addr *addr, bool loopback);
bool ice_is_loopback(const struct quic_addr *addr);

/* pair.c */
struct ice_pair *ice_pair_find(struct ice_agent *agent, const struct quic_addr *remote);
/* NULL when there are as many as may be; makes room by forgetting one that was found and failed. */
struct ice_pair *ice_pair_add(struct ice_agent *agent, const struct ice_candidate *remote,
			      bool is_told);
void ice_pair_remove(struct ice_agent *agent, size_t index);
void ice_pair_check(struct ice_agent *agent, struct ice_pair *pair, uint64_t now);
/* The peer checks us: our own check goes out now. */
void ice_pair_trigger(struct ice_agent *agent, struct ice_pair *pair, uint64_t now);
/* The pair whose check is to be sent now; NULL: none yet. */
struct ice_pair *ice_pair_next(struct ice_agent *agent, uint64_t now);
/* A check leaves: sets its transaction. */
void ice_pair_note_sent(struct ice_agent *agent, struct ice_pair *pair, uint64_t now);
/* Ends series that nobody answered. */
void ice_pair_give_up(struct ice_agent *agent, uint64_t now);
uint64_t ice_pair_deadline(const struct ice_agent *agent);

/* packet.c */
int ice_keys_derive(struct ice_agent *agent, const struct secret *secret, struct err *err)
	attr_must_use;
bool ice_packet_write_answer(struct ice_agent *agent, struct ice_packet *ret) attr_must_use;
void ice_packet_write_check(struct ice_agent *agent, struct ice_pair *pair, bool nominates,
			    struct ice_packet *ret);

/* agent.c: what packets and series come to. */
void ice_agent_answered(struct ice_agent *agent, struct ice_pair *pair, uint64_t rtt_ns,
			uint64_t now);
void ice_agent_gave_up(struct ice_agent *agent, struct ice_pair *pair, uint64_t now);
void ice_agent_asked(struct ice_agent *agent, const struct quic_addr *from, bool nominates,
		     uint64_t now);
