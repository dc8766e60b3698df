/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * HMAC (RFC 2104) of a message that is there as a whole. SHA-1 is for STUN only, where its
 * weakness against collisions does not matter (RFC 8489 section 14.5).
 *
 * OpenSSL can fail here only for want of memory, which ends the process as everywhere.
 */

#include <stdbool.h>

#include "init/base/span.h"

#define HMAC_SHA1_LEN 20
#define HMAC_SHA256_LEN 32

void hmac_sha1(struct span key, struct span message, uint8_t ret[HMAC_SHA1_LEN]);
void hmac_sha256(struct span key, struct span message, uint8_t ret[HMAC_SHA256_LEN]);

/* In constant time. */
bool hmac_equal(struct span a, struct span b) attr_must_use;
