/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Tags: how packets find their way. A relay may not look into packets and has no address of its own
 * for each of its users, so it forwards by what QUIC shows to everybody: the destination connection
 * id. Each id of an endpoint that has a tag is
 *
 *	tag (8 bytes) | random (8 bytes)
 *
 * which is the plain-text algorithm of draft-ietf-quic-load-balancers with the tag in the place of
 * its server id, and the forwarded mode of draft-ietf-masque-quic-proxy. The id that a client makes
 * up for its first packets begins with the server's tag, so that a relay can route those, too.
 * A tag is no secret and proves nothing: whoever gets a packet that is not his cannot read it.
 *
 * The same byte tells several users of one socket apart; see net/hub.h.
 */

#include <stdbool.h>
#include <stdint.h>

#include "init/base/span.h"

#define QUIC_TAG_LEN 8

struct quic_tag {
	uint8_t bytes[QUIC_TAG_LEN];
};

void quic_tag_random(struct quic_tag *ret);
bool quic_tag_equal(const struct quic_tag *a, const struct quic_tag *b);

/*
 * The tag of the id that a datagram is for. False when it is no packet of QUIC version 1 (its fixed
 * bit tells it from STUN and others on the same socket, RFC 9443), too short for one, or its
 * destination id is shorter than a tag. In a short header the id has the length of ours.
 */
bool quic_tag_of(struct span packet, struct quic_tag *ret) attr_must_use;
