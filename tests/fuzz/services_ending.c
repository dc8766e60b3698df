/* SPDX-License-Identifier: MIT */
/* The status file, as the words of the end: whatever it has in it, the words are ours. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "tunnel/services/ending.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char text[ENDING_MAX] = "";
	struct err err;
	int ended = ending_parse(span_of(bytes, len), text, &err);

	assert(ended > 0 ? memchr(text, '\0', ENDING_MAX) &&
				   strncmp(text, "the job has ended: ", 19) == 0
			 : text[0] == '\0');
	return 0;
}
