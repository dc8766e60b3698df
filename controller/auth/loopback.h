/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Where the browser comes back to after a login (RFC 8252 section 7.3): a port of 127.0.0.1 that
 * the system chooses, open until one request is the answer. It speaks as much HTTP/1.1 as browsers
 * need; connections that say nothing, which browsers open in advance, hold up nobody.
 *
 * Whoever else is on this machine can connect too, so that what comes is foreign: it has at most
 * LOOPBACK_REQUEST_MAX bytes, LOOPBACK_CONNECTIONS come at a time, and only the query is looked at.
 */

#include <stdbool.h>

#include "init/base/cleanup.h"
#include "init/base/err.h"
#include "init/base/span.h"

#define LOOPBACK_CONNECTIONS 8
#define LOOPBACK_REQUEST_MAX 16384
#define LOOPBACK_PATH "/callback"

struct loopback;

/* port: 0 for any. ERR_EXISTS: somebody listens there already. */
int loopback_open(unsigned int port, struct loopback **ret, struct err *err) attr_must_use;
struct loopback *loopback_close(struct loopback *loopback);
DEFINE_CLEANUP(struct loopback, loopback_close)

/* http://127.0.0.1:PORT/callback */
const char *loopback_url(const struct loopback *loopback);

/*
 * Waits for the request that take() accepts: 1 is the answer, 0 is not (the browser is told so, and
 * waiting goes on), -1 is one that ends the login, with *err. ERR_TIMEOUT when none came in time.
 */
int loopback_wait(struct loopback *loopback, unsigned int timeout_ms,
		  int (*take)(void *owner, struct span query, struct err *err), void *owner,
		  struct err *err) attr_must_use;

/*
 * Reads the beginning of a request. 1: *ret is the query of a GET of LOOPBACK_PATH, perhaps empty.
 * 0: it is not complete. -1: it is another request, or none.
 */
int loopback_parse(struct span bytes, struct span *ret) attr_must_use;
