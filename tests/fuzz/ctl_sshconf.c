/* SPDX-License-Identifier: MIT */
/*
 * The user's ssh configuration: after our line is put in, it is found, and the rest is as it was.
 */
#include "tests/fuzz/fuzz.h"

#include "controller/sshconf/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct span config = span_of(bytes, len), after;
	cleanup(buf_finish) struct buf text = BUF_INIT(len + 64);

	if (text_find_include(config) != TEXT_INCLUDE_MISSING)
		return 0;
	assert(text_add_include(config, &text, NULL) == 0); /* there is room */
	after = buf_span(&text);
	assert(text_find_include(after) == TEXT_INCLUDE_PRESENT);
	span_cut(&after, after.len - len);
	assert(span_equal(after, config));
	return 0;
}
