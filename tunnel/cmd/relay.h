/* SPDX-License-Identifier: MIT */
#pragma once

/* The parts of `berth-tunnel relay`: the relay is in relay.c, its key and tokens in relay_key.c,
 * looking whether one works in relay_check.c. */

#include "init/base/err.h"
#include "init/base/text.h"
#include "tunnel/crypto/key.h"

struct relay_args {
	const char *listen, *listen2, *behind_proxy, *key, *tokens, *metrics;
	const char *relays, *relay_key, *token; /* of `check` */
	uint64_t drain, connections, address_rate;
};

#define RELAY_KEY_TEXT_MAX TEXT_BASE64_SIZE(KEY_PUBLIC_LEN)
void relay_key_text(const struct key_public *key, char out[RELAY_KEY_TEXT_MAX]);

/* Each prints what it made or found on standard output. */
int relay_make_key(const struct relay_args *args, const char *path, struct err *err);
int relay_make_token(const struct relay_args *args, const char *name, struct err *err);
int relay_check(const struct relay_args *args, const char *url, struct err *err);
