/* SPDX-License-Identifier: MIT */
/* SHA-256; see sha256.h. */
#include "sha256.h"

#include <openssl/evp.h>

#include "init/base/alloc.h"

struct sha256 {
	EVP_MD_CTX *md;
};

static void must(int result)
{
	if (result != 1)
		abort();
}

struct sha256 *sha256_new(void)
{
	struct sha256 *hash = new_zero(struct sha256);

	hash->md = EVP_MD_CTX_new();
	must(hash->md != NULL);
	must(EVP_DigestInit_ex(hash->md, EVP_sha256(), NULL));
	return hash;
}

struct sha256 *sha256_free(struct sha256 *hash)
{
	if (hash)
		EVP_MD_CTX_free(hash->md);
	free(hash);
	return NULL;
}

void sha256_add(struct sha256 *hash, struct span bytes)
{
	must(EVP_DigestUpdate(hash->md, bytes.ptr, bytes.len));
}

void sha256_end(struct sha256 *hash, uint8_t ret[SHA256_LEN])
{
	must(EVP_DigestFinal_ex(hash->md, ret, NULL));
	must(EVP_DigestInit_ex(hash->md, EVP_sha256(), NULL));
}
