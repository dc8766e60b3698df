/* SPDX-License-Identifier: MIT */
/* A template, and a partial that is the same text: whatever is in them ends, within the buffer. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "controller/model/mustache.h"
#include "init/base/text.h"

#define RESULT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup(buf_finish) struct buf result = BUF_INIT(RESULT_MAX);
	json_t *values =
		json_pack("{s:s, s:i, s:b, s:n, s:[s,s,s], s:[], s:{s:{s:s}}}", "a", "it's", "n", 7,
			  "t", 1, "z", "l", "1", "2", "3", "e", "o", "p", "q", "x");
	json_t *text = json_stringn((const char *)bytes, len);
	json_t *partials = json_object();
	struct mustache mustache = { .values = values,
				     .partials = partials,
				     .escape = text_append_shell };
	struct err err;

	if (text && !memchr(bytes, '\0', len))
		json_object_set(partials, "p", text);
	if (mustache_render(&mustache, span_of(bytes, len), &result, &err) < 0)
		assert(err.kind == ERR_INVALID || err.kind == ERR_LIMIT);
	assert(buf_len(&result) <= RESULT_MAX);
	json_decref(text);
	json_decref(partials);
	json_decref(values);
	return 0;
}
