/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * SHA-256 (FIPS 180-4) of bytes in memory.
 */

#include "init/base/span.h"

#define DIGEST_LEN 32
#define DIGEST_HEX_SIZE (2 * DIGEST_LEN + 1)

void digest_sha256(struct span bytes, uint8_t ret[DIGEST_LEN]);
/* The same in lower-case hexadecimal. */
void digest_sha256_hex(struct span bytes, char ret[DIGEST_HEX_SIZE]);
