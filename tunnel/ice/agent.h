/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Finds a direct way to a peer that can only dial out, in the shape of ICE (RFC 8445), while a
 * relay carries the connection. Each end has one agent for each connection. No sockets, no clock:
 * candidates, packets and `now` go in; packets, events and a deadline come out.
 *
 *	struct ice_agent *agent = ice_agent_new(&config);
 *
 *	ice_agent_add_local(agent, &candidate, now);	interfaces, and what relays see of us
 *	ice_agent_add_remote(agent, &candidate, now);	as the peer tells
 *	for each STUN packet that came:  ice_agent_read(agent, &path, &message, now);
 *	when the deadline passed:	 ice_agent_expire(agent, now);
 *	then, after any of these:
 *		while (ice_agent_next_event(agent, &event))
 *			...tell the peer, or use the way that was found
 *		while (ice_agent_write(agent, &packet, now))
 *			...send it from the socket that the candidates belong to
 *		...arm the timer for ice_agent_deadline(agent)
 *
 * Who is who. The client of the connection controls: it decides which way is used, by moving the
 * connection there, and says so with USE-CANDIDATE. The job follows. Roles never change, so there
 * is no conflict to resolve.
 *
 * Rounds. A round is a list of candidates of one end, and checks to those of the other. Both ends
 * must check at the same time, since a NAT lets in only what answers something that went out; so an
 * end that begins a round tells, and its peer checks again, too. A round begins with the agent,
 * when the end's network changed (ice_agent_restart()), when the way in use died, and every minute
 * as long as there is none; after ten in vain, every ten minutes. Checks of one address are
 * repeated after 20, 40, 80... ms and given up after four seconds.
 *
 * NATs that use another port for each destination. Their outside address towards us is not the one
 * that a relay saw. It shows as the source of a check that is valid, and such a source is a
 * candidate (peer-reflexive) that is checked at once. With the job behind such a NAT and a client
 * that anybody may answer, this is the normal way. Ports are never guessed.
 *
 * What goes out. All checks leave from one socket for each family, and the kernel chooses the
 * source. At most 16 addresses are told by each end and 16 more found; one check every 20 ms, after
 * six at once, and at most ICE_ROUND_PACKETS a round: a peer, or a relay that lies about addresses,
 * makes nobody scan or flood anything.
 *
 * Trust. Requests and answers carry HMAC-SHA256 with a key that the inner connection's TLS gave to
 * both ends, one for each direction, so that a check that is sent back to its sender proves
 * nothing. Everything else is ignored without an answer. A check that somebody else repeats from
 * another address (it was seen before) finds no candidate.
 */

#include <stdbool.h>

#include "init/base/secret.h"
#include "tunnel/ice/stun.h"
#include "tunnel/quic/conn.h"

struct ice_agent;

#define ICE_CANDIDATES_MAX 16 /* told by one end in a round */
#define ICE_FOUND_MAX 16      /* sources of valid checks that were not told */
#define ICE_ROUND_PACKETS 200 /* checks in a round */
#define ICE_PACKET_MAX 160    /* a check or an answer */

#define ICE_PACE_NS (20 * NSEC_PER_MSEC)
#define ICE_BURST 6 /* checks that may leave at once */
#define ICE_GIVE_UP_NS (4 * NSEC_PER_SEC)
#define ICE_ROUND_NS (60 * NSEC_PER_SEC)
#define ICE_ROUND_SLOW_NS (600 * NSEC_PER_SEC)
#define ICE_ROUNDS_EAGER 10
#define ICE_KEEP_ALIVE_NS (15 * NSEC_PER_SEC)
/* A way is better when it is so much faster; IPv6 counts as faster by that much (iroh's values). */
#define ICE_HYSTERESIS_NS (5 * NSEC_PER_MSEC)
#define ICE_V6_BONUS_NS (3 * NSEC_PER_MSEC)

enum ice_role { ICE_CONTROLLING, ICE_CONTROLLED };

enum ice_kind {
	ICE_HOST,	   /* an address of an interface */
	ICE_REFLEXIVE,	   /* what a relay saw */
	ICE_PEER_REFLEXIVE /* what the peer saw; never told */
};
#define ICE_KINDS 3

/* "host", "reflexive", "peer-reflexive" */
const char *ice_kind_name(enum ice_kind kind);

struct ice_candidate {
	enum ice_kind kind;
	struct quic_addr addr; /* IPv4 is AF_INET, never a mapped address */
};

struct ice_config {
	enum ice_role role;
	const struct secret *secret; /* quic_conn_export(conn, "ice"); borrowed for the call */
	uint64_t now;
};

struct ice_agent *ice_agent_new(const struct ice_config *config, struct err *err) attr_must_use;
struct ice_agent *ice_agent_free(struct ice_agent *agent);
DEFINE_CLEANUP(struct ice_agent, ice_agent_free)

/*
 * An address where this end may be reached, best first; one that is known is not told twice. False:
 * it is none that another host could use, or there are 16. Loopback addresses are used only when
 * both ends add some, which is for ends that know to be on one host.
 */
bool ice_agent_add_local(struct ice_agent *agent, const struct ice_candidate *candidate,
			 uint64_t now);
/* This end's network changed: its candidates are forgotten, and a new round begins. */
void ice_agent_restart(struct ice_agent *agent, uint64_t now);

/* As the peer tells. False as above; a peer may tell what it likes. */
bool ice_agent_add_remote(struct ice_agent *agent, const struct ice_candidate *candidate,
			  uint64_t now);
/* The peer began a round: its former candidates are void. */
void ice_agent_remote_round(struct ice_agent *agent, uint64_t now);

/* The connection finds the way in use dead: it is not used again before it answers again. */
void ice_agent_lost(struct ice_agent *agent, uint64_t now);

/* A packet that stun_parse() read. Whether it was for this agent (of several on a socket). */
bool ice_agent_read(struct ice_agent *agent, const struct quic_path *path,
		    const struct stun_message *message, uint64_t now);

struct ice_packet {
	/* local is as the request came that this answers; all zero: the kernel chooses. */
	struct quic_path path;
	size_t len;
	uint8_t bytes[ICE_PACKET_MAX];
};

/* False: nothing to send until the deadline or the next event. */
bool ice_agent_write(struct ice_agent *agent, struct ice_packet *ret, uint64_t now) attr_must_use;

uint64_t ice_agent_deadline(const struct ice_agent *agent);
void ice_agent_expire(struct ice_agent *agent, uint64_t now);

enum ice_event_kind {
	ICE_TELL_ROUND,	    /* tell the peer that a round begins; candidates follow */
	ICE_TELL_CANDIDATE, /* tell the peer */
	ICE_VALID,	    /* that address answers; for logs */
	ICE_CHOSEN,	    /* this is the way to use; the controlled end hears it from its peer */
	ICE_LOST	    /* the chosen way does not answer any more */
};

struct ice_event {
	enum ice_event_kind kind;
	uint64_t round;			/* TELL_ROUND: they count up */
	struct ice_candidate candidate; /* the others: an address of ours or of the peer */
	uint64_t rtt_ns;		/* VALID, CHOSEN; 0: not measured */
};

/* Each once, in order; a new round takes back what was not told yet. */
bool ice_agent_next_event(struct ice_agent *agent, struct ice_event *ret) attr_must_use;

/* The way in use; false: none. */
bool ice_agent_chosen(const struct ice_agent *agent, struct ice_candidate *ret);
/* Whether two agents have the same keys: they are for one connection. */
bool ice_agent_is_same(const struct ice_agent *a, const struct ice_agent *b);
/* Checks sent so far. */
uint64_t ice_agent_sent(const struct ice_agent *agent);
