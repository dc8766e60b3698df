/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * In which order a client tries the addresses of an endpoint file: loopback first when the job runs
 * on this very host, and last when it does not.
 */

#include "tunnel/net/endpoint.h"

/* host is this host's name, own are its addresses. */
void order_addresses(const struct endpoint *endpoint, const char *host, const struct addr_list *own,
		     struct addr_list *ret);
/* The same for the host we are on. */
void order_here(const struct endpoint *endpoint, struct addr_list *ret);
