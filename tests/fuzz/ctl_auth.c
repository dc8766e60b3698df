/* SPDX-License-Identifier: MIT */
/* Tokens that somebody else made: looked into whatever they are. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "controller/auth/jwt.h"
#include "init/base/alloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup_free char *text = str_dup_len((const char *)bytes, len);
	cleanup(json_release) json_t *claims = jwt_claims(text);

	assert(claims ? json_is_object(claims) : jwt_end(text) == 0);
	return 0;
}
