/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A box that translates addresses, in virtual time: what it makes of datagrams that leave, and
 * which of those that come it lets in (RFC 4787). Both families alike.
 *
 *	struct nat *nat = nat_new(&NAT_MODERATE, outside, 1);
 *
 *	if (nat_leave(nat, &source, &destination, now))   source is now the outside's
 *	if (nat_enter(nat, &source, &destination, now))   destination is now the inside's
 */

#include <stdbool.h>

#include "init/base/cleanup.h"
#include "tunnel/quic/conn.h"

/* What a mapping, or a permission to come in, depends on. */
enum nat_scope { NAT_ANY, NAT_ADDRESS, NAT_ADDRESS_PORT };

struct nat_kind {
	const char *name;
	bool is_absent; /* hosts have addresses of the outside */
	enum nat_scope mapping, filtering;
	uint64_t timeout_ns; /* a mapping is forgotten after that long without a datagram out */
};

/* The kinds of the matrix, as the end-to-end tests build them with nftables. */
extern const struct nat_kind NAT_NONE, NAT_OPEN, NAT_MODERATE, NAT_STRICT;
#define NAT_KINDS 4
extern const struct nat_kind *const nat_kinds[NAT_KINDS];

struct nat;

/* outside: two addresses, one a family; their port is ignored. */
struct nat *nat_new(const struct nat_kind *kind, const struct quic_addr outside[2], uint64_t seed);
struct nat *nat_free(struct nat *nat);
DEFINE_CLEANUP(struct nat, nat_free)

bool nat_is_outside(const struct nat *nat, const struct quic_addr *addr);
void nat_leave(struct nat *nat, struct quic_addr *source, const struct quic_addr *destination,
	       uint64_t now);
bool nat_enter(struct nat *nat, const struct quic_addr *source, struct quic_addr *destination,
	       uint64_t now);
/* It was switched off and on again. */
void nat_forget(struct nat *nat);
