/* SPDX-License-Identifier: MIT */
/* SHA-256; see digest.h. */
#include "digest.h"

#include <sha2.h>

#include "init/base/text.h"

void digest_sha256(struct span bytes, uint8_t ret[DIGEST_LEN])
{
	SHA2_CTX hash;

	SHA256Init(&hash);
	SHA256Update(&hash, bytes.ptr, bytes.len);
	SHA256Final(ret, &hash);
}

void digest_sha256_hex(struct span bytes, char ret[DIGEST_HEX_SIZE])
{
	uint8_t digest[DIGEST_LEN];

	digest_sha256(bytes, digest);
	text_hex(span_of(digest, sizeof(digest)), ret, DIGEST_HEX_SIZE);
}
