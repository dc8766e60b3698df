/* SPDX-License-Identifier: MIT */
/* What a login node prints of parts of files: what is accepted is handed out once, and no more. */
#include "tests/fuzz/fuzz.h"

#include "controller/backends/site_parts.h"

#define TEXT_MAX 65536

static const struct site_part parts[] = {
	{ .path = "/a", .offset = 3, .max = 8 },
	{ .path = "/b", .max = TEXT_MAX, .since = 7 },
};

static size_t take(struct site_parts *found, const char *path, uint64_t offset, size_t max)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(TEXT_MAX);
	struct err err;
	int result = site_parts_take(found, path, offset, max, &text, &err);

	assert(result >= 0 || err.kind == ERR_NOT_FOUND || err.kind == ERR_INTERNAL);
	assert(result > 0 || buf_len(&text) == 0);
	assert(buf_len(&text) <= max);
	return buf_len(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup(site_parts_finish) struct site_parts found = { 0 };
	size_t taken = 0;
	struct err err;

	if (site_parts_parse(parts, ARRAY_LEN(parts), span_of(bytes, len), &found, &err) < 0) {
		assert(err.text[0] != '\0' && found.len == 0);
		return 0;
	}
	/* No item is given twice, so that it cannot be more than came. */
	for (size_t i = 0; i <= found.len; i++) {
		taken += take(&found, "/a", 3, 8);
		taken += take(&found, "/b", 0, TEXT_MAX);
		taken += take(&found, "/b.times", 0, TEXT_MAX);
	}
	assert(taken <= len);
	return 0;
}
