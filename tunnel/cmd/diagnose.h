/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * From what was measured to sentences: pure decisions, without a clock or a socket. doctor.c and
 * its parts fill these in, and whatever they could not find out by the end says so by its fields.
 *
 *	struct relay_facts facts = { .site = &site, ... };
 *
 *	diagnose_relay(&facts, &findings);
 *	diagnose_ways(ways, count, &findings);
 *
 * A silent relay alone does not tell who is silent: that UDP is dropped is only said when the same
 * relay answers over TCP.
 */

#include "tunnel/cmd/finding.h"
#include "tunnel/net/addr.h"
#include "tunnel/net/path.h"
#include "tunnel/net/proxy.h"
#include "tunnel/net/relay_site.h"

/* A way to a relay. Neither up nor with a reason: it was silent until the end. */
struct leg_facts {
	bool is_tried, is_up;
	uint64_t took_ns, rtt_ns; /* of up, or of the reason */
	struct err why;
};

enum peer_facts { PEER_UNKNOWN, PEER_HERE, PEER_AWAY };

/* By what address others see us; all zero where that is not known. */
struct nat_facts {
	struct quic_addr seen;	  /* by the relay's first address */
	struct quic_addr asked;	  /* the relay's second address */
	struct quic_addr by_that; /* by its second address */
	bool is_own;		  /* what the relay sees is an address of this machine */
	uint64_t took_ns;
};

#define NAME_ADDRESSES_MAX 300

struct relay_facts {
	const struct relay_site *site;
	bool is_number; /* the host is an address: there is nothing to look up */
	bool is_resolved;
	char addresses[NAME_ADDRESSES_MAX];
	struct err unresolved;
	uint64_t resolve_ns;
	struct leg_facts udp, tcp;
	struct proxy proxy; /* that the environment names for this host */
	struct err proxy_error;
	struct nat_facts nat;
	enum peer_facts peer; /* whether the job is there */
	bool has_job;	      /* somebody asks for one */
	uint64_t limit_ns;    /* how long it was waited for answers */
};

void diagnose_relay(const struct relay_facts *facts, struct findings *findings);

/* A way to the job, tried alone, up to the proof of the job's key. */
struct way_facts {
	enum path_kind kind;
	const char *missing; /* why it could not be tried at all, or NULL */
	bool is_up;
	uint64_t took_ns, rtt_ns, limit_ns;
	size_t datagram; /* the largest QUIC packet that is known to get through */
	struct err why;
};

/*
 * One finding a way, and one about packet sizes by the best that works. A way that fails is a
 * warning where another works.
 */
void diagnose_ways(const struct way_facts *ways, size_t len, struct findings *findings);
