/* SPDX-License-Identifier: MIT */
/* Authenticated ciphers of SSH packets; see cipher.h. */
#include "cipher.h"

#include <assert.h>

#include <openssl/crypto.h>

#include "tunnel/crypto/openssl.h"
#include "wire.h"

#define CHACHA_KEY_LEN 32
#define CHACHA_IV_LEN 16
#define CHACHA_BLOCK_LEN 64

/* clang-format off */
const struct cipher_kind cipher_kinds[] = {
	{ "aes128-gcm@openssh.com",        16, 12, 16, "AES-128-GCM", false },
	{ "chacha20-poly1305@openssh.com", 64,  0,  8, "ChaCha20",    true },
	{ "aes256-gcm@openssh.com",        32, 12, 16, "AES-256-GCM", false },
	{ 0 },
};
/* clang-format on */

const struct cipher_kind *cipher_find(struct span name)
{
	for (const struct cipher_kind *k = cipher_kinds; k->name; k++)
		if (span_equal_str(name, k->name))
			return k;
	return NULL;
}

static EVP_CIPHER_CTX *new_stream(const char *evp_name, const uint8_t *key,
				  enum cipher_direction direction)
{
	EVP_CIPHER *evp = EVP_CIPHER_fetch(NULL, evp_name, NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	bool ok = evp && ctx &&
		  EVP_CipherInit_ex2(ctx, evp, key, NULL, direction == CIPHER_SEAL, NULL) == 1;

	EVP_CIPHER_free(evp);
	if (ok)
		return ctx;
	EVP_CIPHER_CTX_free(ctx);
	return NULL;
}

static EVP_MAC_CTX *new_poly1305(void)
{
	EVP_MAC *evp = EVP_MAC_fetch(NULL, "POLY1305", NULL);
	EVP_MAC_CTX *ctx = evp ? EVP_MAC_CTX_new(evp) : NULL;

	EVP_MAC_free(evp);
	return ctx;
}

int cipher_init(struct cipher *c, const struct cipher_kind *kind, enum cipher_direction direction,
		const uint8_t *key, const uint8_t *iv, struct err *err)
{
	*c = (struct cipher){ .kind = kind };
	c->body = new_stream(kind->evp_name, key, direction);
	if (kind->is_chacha) {
		c->head = new_stream(kind->evp_name, key + CHACHA_KEY_LEN, direction);
		c->mac = new_poly1305();
	} else {
		memcpy(c->iv, iv, kind->iv_len);
	}
	if (c->body && (!kind->is_chacha || (c->head && c->mac)))
		return 0;
	cipher_finish(c);
	return err_from_openssl(err, kind->name);
}

void cipher_finish(struct cipher *c)
{
	EVP_CIPHER_CTX_free(c->body);
	EVP_CIPHER_CTX_free(c->head);
	EVP_MAC_CTX_free(c->mac);
	OPENSSL_cleanse(c, sizeof(*c));
}

static bool update(EVP_CIPHER_CTX *ctx, uint8_t *out, const uint8_t *in, size_t len)
{
	int done = 0;

	return len == 0 ||
	       (EVP_CipherUpdate(ctx, out, &done, in, (int)len) == 1 && done == (int)len);
}

/* What is before the body, the body, and what is after it, in the order of the stream. */
static bool update_gather(EVP_CIPHER_CTX *ctx, uint8_t *packet, size_t len, size_t body_at,
			  struct span body)
{
	size_t end = 4 + len, after = body_at + body.len;

	return update(ctx, packet + 4, packet + 4, body_at - 4) &&
	       update(ctx, packet + body_at, body.ptr, body.len) &&
	       update(ctx, packet + after, packet + after, end - after);
}

/* RFC 5647 section 7.1: the last 8 bytes of the nonce count packets. */
static void gcm_next_iv(struct cipher *c)
{
	for (size_t i = CIPHER_IV_MAX; i-- > 4 && ++c->iv[i] == 0;)
		;
}

static bool gcm_begin(struct cipher *c, const uint8_t *head)
{
	int done;

	return EVP_CipherInit_ex2(c->body, NULL, NULL, c->iv, -1, NULL) == 1 &&
	       EVP_CipherUpdate(c->body, NULL, &done, head, 4) == 1;
}

static bool gcm_seal(struct cipher *c, uint8_t *packet, size_t len, size_t body_at,
		     struct span body)
{
	uint8_t none[16];
	int done;
	bool ok = gcm_begin(c, packet) && update_gather(c->body, packet, len, body_at, body) &&
		  EVP_CipherFinal_ex(c->body, none, &done) == 1 &&
		  EVP_CIPHER_CTX_ctrl(c->body, EVP_CTRL_AEAD_GET_TAG, CIPHER_TAG_LEN,
				      packet + 4 + len) == 1;

	gcm_next_iv(c);
	return ok;
}

static bool gcm_open(struct cipher *c, struct span packet, uint8_t *out)
{
	uint8_t tag[CIPHER_TAG_LEN], none[16];
	size_t len = packet.len - 4 - CIPHER_TAG_LEN;
	int done;
	bool ok;

	memcpy(tag, packet.ptr + 4 + len, sizeof(tag));
	ok = gcm_begin(c, packet.ptr) && update(c->body, out, packet.ptr + 4, len) &&
	     EVP_CIPHER_CTX_ctrl(c->body, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag) == 1 &&
	     EVP_CipherFinal_ex(c->body, none, &done) == 1;
	gcm_next_iv(c);
	return ok;
}

/*
 * OpenSSL's IV is the block counter (64 bits, little endian) and then the nonce: the sequence
 * number.
 */
static bool chacha_begin(EVP_CIPHER_CTX *ctx, uint32_t seq)
{
	uint8_t iv[CHACHA_IV_LEN] = { 0 };

	wire_store_u32(iv + 12, seq);
	return EVP_CipherInit_ex2(ctx, NULL, NULL, iv, -1, NULL) == 1;
}

/*
 * Block 0 of the key stream is the key of Poly1305, and the packet begins with block 1: after this
 * the stream stands exactly there.
 */
static bool chacha_begin_body(struct cipher *c, uint32_t seq)
{
	static const uint8_t zero[CHACHA_BLOCK_LEN];
	uint8_t block[CHACHA_BLOCK_LEN];
	bool ok = chacha_begin(c->body, seq) && update(c->body, block, zero, sizeof(block)) &&
		  EVP_MAC_init(c->mac, block, 32, NULL) == 1;

	OPENSSL_cleanse(block, sizeof(block));
	return ok;
}

static bool poly1305(struct cipher *c, struct span in, uint8_t *tag)
{
	size_t done = 0;

	return EVP_MAC_update(c->mac, in.ptr, in.len) == 1 &&
	       EVP_MAC_final(c->mac, tag, &done, CIPHER_TAG_LEN) == 1 && done == CIPHER_TAG_LEN;
}

static bool chacha_seal(struct cipher *c, uint32_t seq, uint8_t *packet, size_t len, size_t body_at,
			struct span body)
{
	return chacha_begin(c->head, seq) && update(c->head, packet, packet, 4) &&
	       chacha_begin_body(c, seq) && update_gather(c->body, packet, len, body_at, body) &&
	       poly1305(c, span_of(packet, 4 + len), packet + 4 + len);
}

static bool chacha_open(struct cipher *c, uint32_t seq, struct span packet, uint8_t *out)
{
	struct span sealed = span_of(packet.ptr, packet.len - CIPHER_TAG_LEN);
	uint8_t tag[CIPHER_TAG_LEN];

	return chacha_begin_body(c, seq) && poly1305(c, sealed, tag) &&
	       CRYPTO_memcmp(tag, packet.ptr + sealed.len, sizeof(tag)) == 0 &&
	       update(c->body, out, packet.ptr + 4, sealed.len - 4);
}

bool cipher_read_length(struct cipher *c, uint32_t seq, const uint8_t *head, uint32_t *ret)
{
	uint8_t plain[4];

	memcpy(plain, head, sizeof(plain));
	if (c->head && (!chacha_begin(c->head, seq) || !update(c->head, plain, head, 4)))
		return false;
	*ret = wire_load_u32(plain);
	return true;
}

bool cipher_open(struct cipher *c, uint32_t seq, struct span packet, uint8_t *out)
{
	assert(packet.len >= 4 + cipher_tag_len(c));
	if (!c->kind) {
		memcpy(out, packet.ptr + 4, packet.len - 4);
		return true;
	}
	return c->kind->is_chacha ? chacha_open(c, seq, packet, out) : gcm_open(c, packet, out);
}

bool cipher_seal(struct cipher *c, uint32_t seq, uint8_t *packet, size_t len, size_t body_at,
		 struct span body)
{
	assert(body_at >= 4 && body_at + body.len <= 4 + len);
	if (!c->kind) {
		if (body.len)
			memcpy(packet + body_at, body.ptr, body.len);
		return true;
	}
	return c->kind->is_chacha ? chacha_seal(c, seq, packet, len, body_at, body)
				  : gcm_seal(c, packet, len, body_at, body);
}
