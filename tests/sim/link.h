/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * One direction of a simulated network path, in virtual time: datagrams go in at a time and come
 * out later, in another order, twice, changed, or not at all. The same seed gives the same faults.
 * It knows nothing of QUIC. The shaper (tests/tools/shaper.c) puts it between real interfaces.
 *
 *	const struct link_settings lossy = { .delay_ns = 25 * NSEC_PER_MSEC, .loss = 0.01 };
 *	struct link *there = link_new(&lossy, 1);
 *
 *	link_send(there, now, &head, bytes);
 *	...later, at now >= link_deadline(there):
 *	while (link_receive(there, now, &head, &bytes))
 *		...
 *
 * The settings may be changed at any time, also while datagrams are on their way
 * (link_settings(there)->is_cut = true).
 */

#include <stdbool.h>

#include "init/base/span.h"
#include "tunnel/quic/conn.h"

/* What travels beside the bytes. */
struct link_head {
	struct quic_path path; /* as the receiver sees it: local is the receiver */
	uint8_t ecn;
};

struct link_settings {
	uint64_t delay_ns; /* one way */
	uint64_t rate_bps; /* bits a second; 0: unlimited */
	size_t queue_max; /* bytes that wait for the rate; further ones are dropped; 0: unlimited */
	size_t datagram_max; /* larger ones are dropped, as by a smaller MTU; 0: unlimited */
	double loss, duplicate, corrupt, reorder; /* probabilities */
	uint64_t reorder_delay_ns;		  /* how much later a reordered one comes */
	/*
	 * Losses in bursts (Gilbert, 1960): with each datagram a burst begins, or the one that is
	 * there ends, with these probabilities; all of a burst is lost. The mean length of a burst
	 * is 1 / burst_end datagrams, the share of what is lost burst_begin / (burst_begin +
	 * burst_end).
	 */
	double burst_begin, burst_end;
	bool is_cut; /* drops everything */
	/* NULL, or who hears each datagram that is sent, also those that are lost. */
	void (*tap)(void *user, const struct link_head *head, struct span bytes);
	void *tap_user;
};

struct link_stats {
	uint64_t sent, delivered, lost, bytes;
};

struct link;

struct link *link_new(const struct link_settings *settings, uint64_t seed);
struct link *link_free(struct link *link);
DEFINE_CLEANUP(struct link, link_free)

struct link_settings *link_settings(struct link *link);
const struct link_stats *link_stats(const struct link *link);

void link_send(struct link *link, uint64_t now, const struct link_head *head, struct span bytes);
/* When the next datagram arrives; QUIC_NEVER when none is under way. */
uint64_t link_deadline(const struct link *link);
/* The bytes are borrowed until the next call. */
bool link_receive(struct link *link, uint64_t now, struct link_head *ret_head,
		  struct span *ret_bytes);
/* Drops what is under way. */
void link_clear(struct link *link);
