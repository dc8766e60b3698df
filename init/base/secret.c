/* SPDX-License-Identifier: MIT */
/* Key material; see secret.h. */
#include "secret.h"

#include <string.h>

void secret_finish(struct secret *s)
{
	explicit_bzero(s, sizeof(*s));
}

bool secret_equal(const struct secret *a, const struct secret *b)
{
	uint8_t differ = 0;

	for (size_t i = 0; i < SECRET_LEN; i++)
		differ |= a->bytes[i] ^ b->bytes[i];
	return differ == 0;
}
