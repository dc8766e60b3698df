/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Internet addresses with a port, as endpoint files carry them: "10.1.2.3:4000",
 * "[2001:db8::1]:4000" (RFC 3986 section 3.2.2). Names are never resolved here: an endpoint is a
 * list of numbers.
 *
 * The type is quic_addr, all-zero for none. An address has one form inside the program: IPv4 is
 * AF_INET, never an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2), so that equal addresses
 * compare equal whichever socket they came from. addr_mapped() makes the other form for a dual-
 * stack socket.
 */

#include <stdbool.h>

#include "tunnel/quic/conn.h"

#define ADDR_TEXT_MAX 64
#define ADDR_LIST_MAX 64

struct addr_list {
	struct quic_addr items[ADDR_LIST_MAX];
	size_t len;
};

/*
 * The whole text or nothing; port 0 is refused. Link-local addresses are: they mean nothing on
 * another host.
 */
bool addr_parse(const char *text, struct quic_addr *ret) attr_must_use;
/* The same with any port and any address: what to listen on, "0.0.0.0:0" or "[::]:0". */
bool addr_parse_listen(const char *text, struct quic_addr *ret) attr_must_use;
void addr_format(const struct quic_addr *addr, char out[ADDR_TEXT_MAX]);

/* From what the kernel gave; an IPv4-mapped address becomes IPv4, other families become "none". */
struct quic_addr addr_from_sockaddr(const struct sockaddr *sa);
struct quic_addr addr_mapped(const struct quic_addr *addr);
/* The wildcard of a family, and the loopback address. */
struct quic_addr addr_any(int family, uint16_t port);

int addr_family(const struct quic_addr *addr);
uint16_t addr_port(const struct quic_addr *addr);
void addr_set_port(struct quic_addr *addr, uint16_t port);
bool addr_equal(const struct quic_addr *a, const struct quic_addr *b);
bool addr_is_loopback(const struct quic_addr *addr);
bool addr_is_link_local(const struct quic_addr *addr);
bool addr_is_any(const struct quic_addr *addr);

/*
 * Every address of every interface that is up, without link-local ones, loopback last; each gets
 * the port. Where the kernel does not tell (a sandbox without netlink) only loopback is returned.
 * families is AF_INET, or AF_UNSPEC for both.
 */
void addr_list_local(int family, uint16_t port, struct addr_list *ret);
bool addr_list_has(const struct addr_list *list, const struct quic_addr *addr);
bool addr_list_add(struct addr_list *list,
		   const struct quic_addr *addr); /* once each; false when full */
