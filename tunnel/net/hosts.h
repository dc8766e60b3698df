/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The addresses of this host that a peer elsewhere may try (RFC 8445 section 5.1.1.1), best first.
 * Loopback and link-local addresses mean nothing there and are left out, as are IPv6 addresses that
 * are deprecated (RFC 4862 section 5.5.4), or not yet known to be this host's alone. Those of
 * bridges come last: container engines and virtual machines have them, alike on every host, and
 * nobody answers there from elsewhere.
 */

#include "tunnel/net/addr.h"

void hosts_list(uint16_t port, struct addr_list *ret);

/* For tests: whether a line of /proc/net/if_inet6 names an address that is not to be told. */
bool hosts_is_unfit(const char *line, struct in6_addr *ret) attr_must_use;
