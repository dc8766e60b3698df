/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The authenticated ciphers of the binary packet protocol, over OpenSSL's EVP:
 *
 *	aes128-gcm@openssh.com, aes256-gcm@openssh.com   RFC 5647, as OpenSSH's PROTOCOL reads it
 *	chacha20-poly1305@openssh.com                    OpenSSH's PROTOCOL.chacha20poly1305
 *
 * A packet on the wire is 4 bytes of length, `length` bytes that are encrypted, and a tag of 16
 * bytes. AES-GCM leaves the length readable and authenticates it; its nonce is a counter of its own
 * that starts at the derived IV. ChaCha20-Poly1305 encrypts the length with a key of its own, and
 * its nonce is the packet's sequence number.
 *
 * A zero struct cipher is no cipher: the length is readable and there is no tag.
 */

#include <stdbool.h>

#include "init/base/err.h"
#include "init/base/cleanup.h"
#include "init/base/span.h"

#define CIPHER_KEY_MAX 64
#define CIPHER_IV_MAX 12
#define CIPHER_TAG_LEN 16

struct cipher_kind {
	const char *name;
	size_t key_len, iv_len;
	size_t block_len;     /* what the encrypted part is padded to */
	const char *evp_name; /* OpenSSL's name of the stream part */
	bool is_chacha;
};

/*
 * By preference, though the client's order decides (RFC 4253 section 7.1); ends with a NULL name.
 */
extern const struct cipher_kind cipher_kinds[];

const struct cipher_kind *cipher_find(struct span name); /* NULL: not ours */

struct cipher {
	const struct cipher_kind *kind;
	struct evp_cipher_ctx_st *body, *head; /* head: only chacha20, for the length */
	struct evp_mac_ctx_st *mac;	       /* only chacha20 */
	uint8_t iv[CIPHER_IV_MAX];	       /* only GCM: of the next packet */
};

enum cipher_direction { CIPHER_OPEN, CIPHER_SEAL };

/* key and iv have the lengths of the kind. */
int cipher_init(struct cipher *c, const struct cipher_kind *kind, enum cipher_direction direction,
		const uint8_t *key, const uint8_t *iv, struct err *err) attr_must_use;
void cipher_finish(struct cipher *c);
DEFINE_CLEANUP_VALUE(struct cipher, cipher_finish)

static inline size_t cipher_block_len(const struct cipher *c)
{
	return c->kind ? c->kind->block_len : 8;
}

static inline size_t cipher_tag_len(const struct cipher *c)
{
	return c->kind ? CIPHER_TAG_LEN : 0;
}

/* The length that the first 4 bytes of a packet stand for; it is not authenticated yet. */
bool cipher_read_length(struct cipher *c, uint32_t seq, const uint8_t *head, uint32_t *ret)
	attr_must_use;

/*
 * Checks a whole packet (length, encrypted part, tag) and decrypts the encrypted part to out, which
 * must not overlap it. False: forged or damaged; out is then not to be used.
 */
bool cipher_open(struct cipher *c, uint32_t seq, struct span packet, uint8_t *out) attr_must_use;

/*
 * Encrypts a packet where it lies and adds the tag: packet has 4 bytes of length, len bytes and
 * room for the tag. The bytes of body belong at packet + body_at: they are read from where they
 * are, which saves copying them there first.
 */
bool cipher_seal(struct cipher *c, uint32_t seq, uint8_t *packet, size_t len, size_t body_at,
		 struct span body) attr_must_use;
