/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Where a CONNECT wants to go: a TCP target "host:port" (RFC 9110 section 9.3.6), or the path of a
 * Unix socket, and whether the job lets it.
 */

#include <stdbool.h>

#include "init/base/err.h"

#define TARGET_HOST_MAX 253 /* bytes of a name (RFC 1035 section 2.3.4) */
#define TARGET_PATH_MAX 107 /* what sockaddr_un holds */

struct target {
	char host[TARGET_HOST_MAX + 1]; /* without the brackets of an IPv6 address */
	uint16_t port;			/* never 0 */
	bool is_ip;
};

/* "name:80", "10.0.0.1:80", "[2001:db8::1]:80". ERR_INVALID for anything else. */
int target_parse(const char *authority, struct target *ret, struct err *err) attr_must_use;

/* 127.0.0.0/8, ::1, the same mapped into IPv6, and the name "localhost". */
bool target_is_loopback(const struct target *target);

/*
 * Loopback always; others by a list of "host:port", where either part may be "*". Names are
 * compared as text: what a name resolves to is not looked at.
 */
bool target_is_allowed(const struct target *target, char *const *allow, size_t allow_len);

/*
 * The path behind "/unix/", percent-decoded (RFC 3986 section 2.1). ERR_INVALID unless it is
 * absolute, without NUL and short enough for a socket.
 */
int target_parse_unix(const char *path, char ret[TARGET_PATH_MAX + 1], struct err *err)
	attr_must_use;
