/* SPDX-License-Identifier: MIT */
/* SHA-1; see sha1.h. */
#include "sha1.h"

#include <stdlib.h>

#include <openssl/evp.h>

void sha1_of(struct span bytes, uint8_t ret[SHA1_LEN])
{
	size_t len;

	if (EVP_Q_digest(NULL, "SHA1", NULL, bytes.ptr, bytes.len, ret, &len) != 1)
		abort();
}
