/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Where a relay is, by what key it is known, and the token that it admits us by. In tunnel.json, in
 * the client file and in what `berth-tunnel keygen --relays` reads it is the same array:
 *
 *	"relays": [{"url": "https://relay.example.org:443", "key": BASE64(32), "token": "..."}]
 *
 * Behind a proxy that ends TLS (`berth-tunnel relay --behind-proxy`) there is no relay's key to
 * see. Instead of "key" such a relay has "ca", the file of the authorities by which the proxy's
 * certificate is accepted, or "system"; it is reached by TCP only.
 *
 * The URL names a host and a port and nothing more: the port (443 unless it is given) is both the
 * relay's UDP and its TCP port. A token is a secret, so that it travels in files only.
 */

#include <jansson.h>

#include "init/base/err.h"
#include "tunnel/crypto/key.h"

#define RELAY_SITES_MAX 16
#define RELAY_SITE_URL_MAX 300
#define RELAY_SITE_PORT 443

struct relay_site {
	char *url;	       /* as it was given */
	char *host;	       /* a name or an address, without brackets */
	uint16_t port;	       /* of UDP and TCP */
	struct key_public key; /* all zero with ca */
	char *ca;	       /* NULL: it is known by its key */
	char *token;
};

void relay_site_finish(struct relay_site *site);
DEFINE_CLEANUP_VALUE(struct relay_site, relay_site_finish)

/*
 * "https://HOST[:PORT]", HOST a name, an IPv4 address or an IPv6 address in brackets; url, host and
 * port of *ret are set, the rest is zero. ERR_INVALID says what is wrong.
 */
int relay_site_parse(const char *url, struct relay_site *ret, struct err *err) attr_must_use;
/* Visible ASCII without spaces or quotes, 1 to RELAY_TOKEN_MAX of them (wire/relay.h). */
bool relay_site_is_token(const char *text);

/* All-zero: none. */
struct relay_sites {
	struct relay_site *items;
	size_t len;
};

void relay_sites_finish(struct relay_sites *sites);
DEFINE_CLEANUP_VALUE(struct relay_sites, relay_sites_finish)

/* array may be NULL, for none. Errors name the entry. */
int relay_sites_parse(const json_t *array, struct relay_sites *ret, struct err *err) attr_must_use;
/* The file that --relays names: such an array, refused when others have access to it. */
int relay_sites_read(const char *path, struct relay_sites *ret, struct err *err) attr_must_use;
/* A new reference. */
json_t *relay_sites_json(const struct relay_sites *sites) attr_must_use;
