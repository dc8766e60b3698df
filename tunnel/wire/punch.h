/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The body of `POST /punch`: both ends tell each other where they may be reached (tunnel/ice), for
 * as long as the stream lives. The same capsules (RFC 9297 section 3.2) in both directions:
 *
 *	type    value
 *	0x2b40  ROUND { number }
 *	0x2b41  CANDIDATE { kind, address }
 *
 * Numbers are varints; an address is as in relay.h. ROUND comes first, and whenever this end
 * begins to check anew: its earlier candidates are void, those that follow are for this round, and
 * the peer checks them. Numbers count up, for logs only. CANDIDATE comes as soon as each is known
 * (the idea of RFC 8838). Its kind is
 *
 *	0  host: an address of an interface
 *	1  reflexive: what a relay sees
 *
 * A receiver ignores kinds that it does not know, and candidates beyond the sixteenth of a round.
 */

#include <stdbool.h>

#include "init/base/buf.h"
#include "init/base/err.h"
#include "tunnel/wire/relay.h"

#define PUNCH_VALUE_MAX 64 /* bytes of any of these capsules' values */

enum punch_capsule { PUNCH_ROUND = 0x2b40, PUNCH_CANDIDATE = 0x2b41 };

enum punch_kind { PUNCH_HOST, PUNCH_REFLEXIVE };

struct punch_candidate {
	uint64_t kind; /* enum punch_kind, or one that came later */
	struct relay_address address;
};

int punch_round_parse(struct span value, uint64_t *ret_number, struct err *err) attr_must_use;
int punch_candidate_parse(struct span value, struct punch_candidate *ret, struct err *err)
	attr_must_use;

/* Each appends the whole capsule; false when the buffer's maximum is in the way. */
bool punch_round_format(uint64_t number, struct buf *b) attr_must_use;
bool punch_candidate_format(const struct punch_candidate *candidate, struct buf *b) attr_must_use;
