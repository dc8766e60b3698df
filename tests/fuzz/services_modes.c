/* SPDX-License-Identifier: MIT */
/*
 * Terminal modes: what is refused changes nothing, what is accepted is accepted twice in the same
 * way.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "tunnel/services/modes.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct termios once, twice, none;

	memset(&none, 0, sizeof(none));
	once = none;
	if (modes_apply(span_of(bytes, len), &once, NULL) < 0) {
		assert(memcmp(&once, &none, sizeof(none)) == 0);
		return 0;
	}
	twice = once;
	assert(modes_apply(span_of(bytes, len), &twice, NULL) == 0);
	assert(memcmp(&once, &twice, sizeof(once)) == 0);
	return 0;
}
