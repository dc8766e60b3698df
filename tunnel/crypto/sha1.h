/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * SHA-1 (FIPS 180-4), where a standard wants it for something that is no secret: the answer to a
 * WebSocket's key (RFC 6455 section 4.2.2). Nothing may rest on it being hard to collide.
 */

#include "init/base/span.h"

#define SHA1_LEN 20

/* OpenSSL can fail here only for want of memory, which ends the process as everywhere. */
void sha1_of(struct span bytes, uint8_t ret[SHA1_LEN]);
