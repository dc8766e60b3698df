/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * How often an address may do something: token buckets in a table of fixed size. An IPv6 address
 * counts with its whole /64, since one host has as many as it likes. The bucket is chosen by a
 * keyed hash, so that nobody can aim at another's; two addresses that share one share its
 * allowance.
 */

#include <stdbool.h>

#include "tunnel/quic/conn.h"

struct limit;

/* So many at once, and per_second more each second. */
struct limit *limit_new(uint32_t burst, uint32_t per_second) attr_must_use;
struct limit *limit_free(struct limit *limit);
DEFINE_CLEANUP(struct limit, limit_free)

/* Takes one; false: there is none. */
bool limit_spend(struct limit *limit, const struct quic_addr *address, uint64_t now);
/* Whether there is one. */
bool limit_has(struct limit *limit, const struct quic_addr *address, uint64_t now);
