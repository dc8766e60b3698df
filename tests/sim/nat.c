/* SPDX-License-Identifier: MIT */
/* A simulated NAT; see nat.h. */
#include "tests/sim/nat.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>

#include "init/base/alloc.h"

#define HEARD_MAX 64

const struct nat_kind NAT_NONE = { "none", .is_absent = true };
const struct nat_kind NAT_OPEN = { "open", false, NAT_ANY, NAT_ANY, 60 * NSEC_PER_SEC };
const struct nat_kind NAT_MODERATE = { "moderate", false, NAT_ANY, NAT_ADDRESS_PORT,
				       60 * NSEC_PER_SEC };
const struct nat_kind NAT_STRICT = { "strict", false, NAT_ADDRESS_PORT, NAT_ADDRESS_PORT,
				     60 * NSEC_PER_SEC };
const struct nat_kind *const nat_kinds[NAT_KINDS] = { &NAT_NONE, &NAT_OPEN, &NAT_MODERATE,
						      &NAT_STRICT };

struct mapping {
	struct quic_addr inside, outside, destination; /* destination: of the first datagram */
	struct quic_addr heard[HEARD_MAX];	       /* who was sent something */
	size_t heard_count;
	uint64_t used_at;
};

struct nat {
	const struct nat_kind *kind;
	struct quic_addr outside[2];
	struct mapping *mappings;
	size_t count, size;
	uint16_t port;
};

struct nat *nat_new(const struct nat_kind *kind, const struct quic_addr outside[2], uint64_t seed)
{
	struct nat *nat = new_zero(struct nat);

	nat->kind = kind;
	memcpy(nat->outside, outside, sizeof(nat->outside));
	nat->port = (uint16_t)(20000 + seed * 977 % 20000);
	return nat;
}

struct nat *nat_free(struct nat *nat)
{
	if (!nat)
		return NULL;
	free(nat->mappings);
	free(nat);
	return NULL;
}

void nat_forget(struct nat *nat)
{
	nat->count = 0;
}

static uint16_t *port_of(struct quic_addr *addr)
{
	return addr->any.sa_family == AF_INET ? &addr->v4.sin_port : &addr->v6.sin6_port;
}

static bool matches(enum nat_scope scope, struct quic_addr a, struct quic_addr b)
{
	if (scope == NAT_ANY)
		return true;
	if (scope == NAT_ADDRESS)
		*port_of(&a) = *port_of(&b);
	return quic_addr_equal(&a, &b);
}

bool nat_is_outside(const struct nat *nat, const struct quic_addr *addr)
{
	for (size_t i = 0; i < 2; i++) {
		if (nat->outside[i].len > 0 && matches(NAT_ADDRESS, nat->outside[i], *addr))
			return true;
	}
	return false;
}

static bool is_alive(const struct nat *nat, const struct mapping *m, uint64_t now)
{
	return now - m->used_at <= nat->kind->timeout_ns;
}

static struct mapping *find(struct nat *nat, const struct quic_addr *inside,
			    const struct quic_addr *destination, uint64_t now)
{
	for (size_t i = 0; i < nat->count; i++) {
		struct mapping *m = &nat->mappings[i];

		if (is_alive(nat, m, now) && quic_addr_equal(&m->inside, inside) &&
		    m->destination.any.sa_family == destination->any.sa_family &&
		    matches(nat->kind->mapping, m->destination, *destination))
			return m;
	}
	return NULL;
}

static struct mapping *map(struct nat *nat, const struct quic_addr *inside,
			   const struct quic_addr *destination)
{
	struct mapping *m;

	if (nat->count == nat->size) {
		nat->size = nat->size ? 2 * nat->size : 8;
		nat->mappings = alloc_grow(nat->mappings, nat->size, sizeof(*nat->mappings));
	}
	m = &nat->mappings[nat->count++];
	*m = (struct mapping){
		.inside = *inside,
		.outside = nat->outside[inside->any.sa_family == AF_INET6],
		.destination = *destination,
	};
	*port_of(&m->outside) = htons(nat->port);
	nat->port = (uint16_t)(nat->port + 7);
	return m;
}

static bool has_heard(const struct mapping *m, enum nat_scope scope, const struct quic_addr *who)
{
	for (size_t i = 0; i < m->heard_count; i++) {
		if (matches(scope, m->heard[i], *who))
			return true;
	}
	return false;
}

void nat_leave(struct nat *nat, struct quic_addr *source, const struct quic_addr *destination,
	       uint64_t now)
{
	struct mapping *m;

	if (nat->kind->is_absent)
		return;
	m = find(nat, source, destination, now);
	if (!m)
		m = map(nat, source, destination);
	m->used_at = now;
	if (!has_heard(m, NAT_ADDRESS_PORT, destination)) {
		assert(m->heard_count < HEARD_MAX);
		m->heard[m->heard_count++] = *destination;
	}
	*source = m->outside;
}

bool nat_enter(struct nat *nat, const struct quic_addr *source, struct quic_addr *destination,
	       uint64_t now)
{
	if (nat->kind->is_absent)
		return true;
	for (size_t i = 0; i < nat->count; i++) {
		struct mapping *m = &nat->mappings[i];

		if (!is_alive(nat, m, now) || !quic_addr_equal(&m->outside, destination))
			continue;
		if (nat->kind->filtering != NAT_ANY && !has_heard(m, nat->kind->filtering, source))
			return false;
		*destination = m->inside;
		return true;
	}
	return false;
}
