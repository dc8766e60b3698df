/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Names to addresses by c-ares on the loop: a static program has no name service switch, and
 * getaddrinfo(3) would block. /etc/hosts is read first, then the servers of /etc/resolv.conf.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <uv.h>

#include "init/base/err.h"

#define RESOLVE_MAX 8 /* addresses of a name that are of interest */

union resolve_addr {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct resolve_list {
	union resolve_addr items[RESOLVE_MAX];
	size_t len;
};

struct resolver;
struct resolve_query;

/* Instead of what this machine has; borrowed. All-zero: /etc/hosts and /etc/resolv.conf. */
struct resolve_sources {
	const char *hosts;   /* a file */
	const char *servers; /* "127.0.0.1:5353,..." */
};

/* Nothing is read before the first query. */
struct resolver *resolver_new(uv_loop_t *loop, const struct resolve_sources *sources);

/* Ends every query without a callback; closed follows in a later turn of the loop. */
void resolver_close(struct resolver *resolver, void (*closed)(void *owner), void *owner);

/* One of the two arguments is NULL; the list is borrowed. */
typedef void resolve_done(void *owner, const struct resolve_list *list, const struct err *why);

/* NULL when done was called already, which happens for names of /etc/hosts. */
struct resolve_query *resolver_query(struct resolver *resolver, const char *name, uint16_t port,
				     resolve_done *done, void *owner);

/* done will not be called. */
void resolve_cancel(struct resolve_query *query);
