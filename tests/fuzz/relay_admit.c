/* SPDX-License-Identifier: MIT */
/* A file of tokens: whatever it says, what was taken in is within its limits. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "tunnel/relay/admit.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup(admit_free) struct admit *admit = admit_new();
	struct err err;
	size_t count = 0;

	if (admit_load(admit, span_of(bytes, len), &err) < 0) {
		assert(admit_count(admit) == 0);
		return 0;
	}
	for (const struct admit_user *user = admit_first(admit); user; user = user->next) {
		assert(strlen(user->name) > 0 && !user->is_gone);
		count++;
	}
	assert(count == admit_count(admit));
	/* The same once more changes nothing. */
	if (admit_load(admit, span_of(bytes, len), &err) < 0 || admit_count(admit) != count)
		assert(false);
	return 0;
}
