/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The legs of a relay: who is registered, who is paired with whom, and where a packet goes. No
 * sockets, no clock, no allocation per packet.
 *
 * A leg is one registration: a job under its endpoint id, or a client that asks for one. A job is
 * paired with all clients that ask for its id, in whatever order they came. A packet that comes
 * from a leg is for the one among those it is paired with whose tag its connection id begins with
 * (quic/tag.h); there is no other way through.
 *
 *	struct leg *leg = legs_join(legs, &config, &code);
 *	...
 *	struct leg *to = legs_find(legs, &remote, tag, &from);	a packet from a UDP address
 *	struct leg *to = leg_peer(from, tag);			a packet from a stream
 *
 * A leg over UDP is known by the remote address of its control connection, which QUIC has
 * validated; several may share one address, as one socket may have several registrations.
 *
 * Somebody who registers again takes the place of the old registration: a job, because it proved
 * the same id; a client with the same tag, when it asks for the same id and was admitted by the
 * same token. Another client with a tag that is taken is refused, and picks another.
 */

#include "tunnel/crypto/key.h"
#include "tunnel/quic/conn.h"
#include "tunnel/wire/relay.h"

#define LEGS_CLIENTS_MAX 256 /* of one job: looking for a tag stays short */
#define LEGS_AT_MAX 64	     /* of one address */

struct legs;
struct leg;
struct leg_place;
struct leg_target;

/* A tag (quic/tag.h) as a number, which is quick to compare; its bytes in the order of memory. */
uint64_t leg_tag(const uint8_t bytes[RELAY_TAG_LEN]);

struct leg_config {
	enum relay_role role;
	uint64_t tag;
	struct relay_id id;
	const struct quic_addr *address; /* NULL: a byte stream */
	void *user;			 /* whose token admitted it; compared, never looked into */
	void *owner;			 /* whoever holds the stream of capsules */
};

struct leg {
	struct leg *prev, *next; /* of all */
	enum relay_role role;
	uint64_t tag;
	void *user, *owner;
	struct quic_path path; /* UDP: the way back; all zero: a byte stream */
	struct leg_place *place;
	struct leg *place_next;
	struct leg_target *target;
	struct leg *target_next; /* clients of one id */
	uint64_t packets, bytes; /* that came from it and were forwarded */
};

struct legs_ops {
	/* Tell leg that the peer with this tag is there now, or is gone. */
	void (*peer)(void *owner, const struct leg *leg, uint64_t tag, bool is_here);
	/* Another took its place; it left already and is freed when this returns. */
	void (*replaced)(void *owner, struct leg *leg);
};

struct legs *legs_new(const struct legs_ops *ops, void *owner) attr_must_use;
/* No leg may be left. */
struct legs *legs_free(struct legs *legs);
DEFINE_CLEANUP(struct legs, legs_free)

/*
 * Registers; peer() is called for all that are affected, for the new leg itself only by
 * legs_introduce(), once it was welcomed. NULL, and *ret_code: TAG_TAKEN or LIMIT.
 */
struct leg *legs_join(struct legs *legs, const struct leg_config *config, enum relay_code *ret_code)
	attr_must_use;
/* Whether this one would take the place of another that the same user registered. */
bool legs_would_replace(const struct legs *legs, const struct leg_config *config);
/* Tells the leg who is there; a client also that its job is not (tag 0). */
void legs_introduce(struct legs *legs, const struct leg *leg);
/* Frees it. */
void legs_leave(struct legs *legs, struct leg *leg);
/* Its control connection has another validated path. */
void legs_move(struct legs *legs, struct leg *leg, const struct quic_path *path);

/*
 * Where a packet goes that came from an address with this tag, and in *ret_from whose it is; NULL:
 * nowhere.
 */
struct leg *legs_find(const struct legs *legs, const struct quic_addr *from, uint64_t tag,
		      struct leg **ret_from);
struct leg *leg_peer(const struct leg *from, uint64_t tag);

/* Whether anybody is registered from this host, whatever the port. */
bool legs_know(const struct legs *legs, const struct quic_addr *address);

/* The first of all, newest first; see leg.next. */
struct leg *legs_first(const struct legs *legs);
size_t legs_count(const struct legs *legs, enum relay_role role);
