/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Which HTTP proxy leads to a host, by the environment, as curl(1) documents it: https_proxy, else
 * HTTPS_PROXY, else all_proxy, else ALL_PROXY; unless no_proxy, else NO_PROXY, lists the host.
 *
 *	http_proxy=...                  is not asked: what we carry is never plain HTTP
 *	https_proxy=http://user:pass@proxy.example:3128
 *	no_proxy=.example.org,10.0.0.0/8,[::1],*
 *
 * A proxy is `[http://][user[:password]@]host[:port]`, the port 1080 if not said, user and password
 * percent-encoded. "https://" and "socks" proxies are refused with a sentence: nobody would notice
 * that they are not used. An empty variable counts as not set.
 *
 * A member of no_proxy is a name, which stands for itself and all below it, with or without a dot
 * in front; an address; a network (CIDR); or "*", which is everything. Case does not count, and
 * neither does a dot at the end. Members are separated by commas or spaces.
 */

#include <stdbool.h>
#include <stdint.h>

#include "init/base/err.h"

#define PROXY_HOST_MAX 256
#define PROXY_CREDENTIALS_MAX 512

struct proxy {
	char host[PROXY_HOST_MAX]; /* empty: there is none; IPv6 without brackets */
	uint16_t port;
	/* "user:password", a secret: shown to nobody but the proxy; empty: none. */
	char credentials[PROXY_CREDENTIALS_MAX];
	char variable[16]; /* which said so, for messages */
};

/* The text of a variable; the errors name no password. */
int proxy_parse(const char *text, struct proxy *ret, struct err *err) attr_must_use;
/* Whether a list such as no_proxy covers a host: a name or an address without brackets. */
bool proxy_is_excepted(const char *no_proxy, const char *host) attr_must_use;

/* ret->host is empty when the host is to be reached directly. */
int proxy_from_environment(const char *host, struct proxy *ret, struct err *err) attr_must_use;
