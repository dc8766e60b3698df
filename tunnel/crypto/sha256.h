/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * SHA-256 (FIPS 180-4) of what comes in pieces.
 *
 *	cleanup(sha256_free) struct sha256 *hash = sha256_new();
 *
 *	sha256_add(hash, bytes);
 *	sha256_end(hash, digest);	and it begins anew
 *
 * OpenSSL can fail here only for want of memory, which ends the process as everywhere.
 */

#include "init/base/cleanup.h"
#include "init/base/span.h"

#define SHA256_LEN 32

struct sha256;

struct sha256 *sha256_new(void) attr_must_use;
struct sha256 *sha256_free(struct sha256 *hash);
DEFINE_CLEANUP(struct sha256, sha256_free)

void sha256_add(struct sha256 *hash, struct span bytes);
void sha256_end(struct sha256 *hash, uint8_t ret[SHA256_LEN]);
