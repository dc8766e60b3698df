/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The keys of a relay, all derived (HKDF-SHA256) from one secret in a file, 0600, that
 * `berth-tunnel relay key` makes:
 *
 *	{"version": 1, "relay": BASE64(32)}
 *
 *	"berth relay key"	seed of the Ed25519 key that it proves
 *	"berth relay reset"	stateless resets: who was connected to a relay that crashed hears
 *				so within a round trip of its restart (RFC 9000 section 10.3)
 *	"berth relay retry"	Retry tokens
 *
 * So a relay needs no other state: started again with the file it is the same relay.
 */

#include "init/base/buf.h"
#include "tunnel/crypto/key.h"
#include "tunnel/quic/tag.h"

struct relay_keys {
	struct key_pair pair;
	struct secret reset, retry;
	struct quic_tag tag; /* what the ids of control connections begin with: key_tag() */
};

void relay_keys_finish(struct relay_keys *keys);
DEFINE_CLEANUP_VALUE(struct relay_keys, relay_keys_finish)

int relay_keys_derive(const struct secret *secret, struct relay_keys *ret, struct err *err)
	attr_must_use;
/* Refuses a file that others may read. */
int relay_keys_read(const char *path, struct relay_keys *ret, struct err *err) attr_must_use;
/* Makes the file; ERR_EXISTS when there is one. */
int relay_keys_make(const char *path, struct relay_keys *ret, struct err *err) attr_must_use;
