/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * JSON web tokens (RFC 7519), looked into for people: when one ends, and whom it is about. Nothing
 * is decided by it, and no signature is checked: the token is the server's to judge, we only carry
 * it, and what we show of it is what the user's own issuer wrote. Many tokens are no such thing
 * (RFC 6749 leaves their form open), which is no error.
 */

#include <stdint.h>

#include "controller/model/json.h"

#define JWT_MAX 16384

/* The claims, to be released; NULL when it is none. The token may have any bytes. */
json_t *jwt_claims(const char *token) attr_must_use;

/* Seconds since the epoch at which it ends (claim exp); 0 when it does not tell. */
uint64_t jwt_end(const char *token);
