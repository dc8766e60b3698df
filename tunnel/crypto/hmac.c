/* SPDX-License-Identifier: MIT */
/* HMAC; see hmac.h. */
#include "hmac.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

static void hmac(const EVP_MD *hash, struct span key, struct span message, uint8_t *ret)
{
	/* A NULL key would mean the one of the call before. */
	if (!HMAC(hash, key.len ? (const void *)key.ptr : "", (int)key.len, message.ptr,
		  message.len, ret, NULL))
		abort();
}

void hmac_sha1(struct span key, struct span message, uint8_t ret[HMAC_SHA1_LEN])
{
	hmac(EVP_sha1(), key, message, ret);
}

void hmac_sha256(struct span key, struct span message, uint8_t ret[HMAC_SHA256_LEN])
{
	hmac(EVP_sha256(), key, message, ret);
}

bool hmac_equal(struct span a, struct span b)
{
	return a.len == b.len && CRYPTO_memcmp(a.ptr, b.ptr, a.len) == 0;
}
