/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Identity: Ed25519 keys (RFC 8032), and the two small JSON files that carry them.
 *
 * A submission makes one random secret for the job and one key pair for the workstation. From the
 * secret come, by HKDF-SHA256 (RFC 5869), the key of each rank and the other keys of the job side:
 *
 *	rank key seed        info = "berth rank " RANK
 *	stateless reset key  info = "berth reset " RANK
 *
 * tunnel.json (job side) and the client file (workstation side) are both 0600, written by
 * `berth-tunnel keygen` and described in tunnel/berth-tunnel-files.5.scd.
 *
 *	tunnel.json   {"version": 1, "secret": BASE64(32),
 *	               "peer": BASE64(32, public key of the workstation),
 *	               "next": BASE64(32, its next one; only while the key is replaced),
 *	               "others": [{"name": NAME, "key": BASE64(32), "next": BASE64(32)}, ...],
 *	               "allow": ["host:port", ...], "idle_timeout_s": 86400}
 *	client file   {"version": 1, "secret": BASE64(32, same),
 *	               "key": BASE64(32, seed of the workstation's key)}
 */

#include <stdbool.h>

#include "init/base/err.h"
#include "init/base/secret.h"
#include "init/base/span.h"

#define KEY_PUBLIC_LEN 32

struct key_public {
	uint8_t bytes[KEY_PUBLIC_LEN];
};

/* An Ed25519 key pair: the seed is the private half (RFC 8032 section 5.1.5). */
struct key_pair {
	struct secret seed;
	struct key_public public;
};

void key_pair_finish(struct key_pair *pair);
DEFINE_CLEANUP_VALUE(struct key_pair, key_pair_finish)

int key_random_secret(struct secret *ret, struct err *err) attr_must_use;
int key_pair_from_seed(const struct secret *seed, struct key_pair *ret, struct err *err)
	attr_must_use;
int key_pair_generate(struct key_pair *ret, struct err *err) attr_must_use;

/* HKDF-SHA256 of the job's secret; info as listed above. */
int key_derive(const struct secret *secret, const char *info, struct secret *ret, struct err *err)
	attr_must_use;
int key_pair_of_rank(const struct secret *secret, unsigned int rank, struct key_pair *ret,
		     struct err *err) attr_must_use;

/*
 * Ed25519 signatures (RFC 8032). Verifying is for messages that say what they are for, so that a
 * signature is worth nothing elsewhere.
 */
#define KEY_SIGNATURE_LEN 64
int key_sign(const struct key_pair *pair, struct span message, uint8_t ret[KEY_SIGNATURE_LEN],
	     struct err *err) attr_must_use;
bool key_verify(const struct key_public *key, struct span message,
		const uint8_t signature[KEY_SIGNATURE_LEN]) attr_must_use;

/*
 * By what a relay knows a rank: the SHA-256 of its public key. And the tag that the rank's
 * connection ids begin with (quic/tag.h): the first bytes of SHA-256("berth tag" || public key), so
 * that it is the same at every relay and after every start.
 */
#define KEY_TAG_LEN 8
struct relay_id {
	uint8_t bytes[32];
};
void key_id(const struct key_public *key, struct relay_id *ret);
bool relay_id_equal(const struct relay_id *a, const struct relay_id *b);
void key_tag(const struct key_public *key, uint8_t ret[KEY_TAG_LEN]);

bool key_public_equal(const struct key_public *a, const struct key_public *b);

/* The keys that a peer may prove: of up to eight, and while they are replaced, the next ones. */
#define KEY_SET_MAX 16

struct key_set {
	struct key_public keys[KEY_SET_MAX];
	size_t len;
};

/* Neither adds twice, nor more than there is room for. */
void key_set_add(struct key_set *set, const struct key_public *key);
bool key_set_has(const struct key_set *set, const struct key_public *key);
/* In whatever order. */
bool key_set_equal(const struct key_set *a, const struct key_set *b);
