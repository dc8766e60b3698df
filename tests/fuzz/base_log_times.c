/* SPDX-License-Identifier: MIT */
/* stdout.times, which a job can write: what is accepted grows, and is written as it was read. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "init/base/log_times.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(LOG_TIMES_TEXT_MAX);
	static struct log_times times, again;
	struct err err;

	if (log_times_parse(span_of(bytes, len), &times, &err) < 0) {
		assert(err.text[0] != '\0');
		return 0;
	}
	assert(times.len <= LOG_TIMES_MAX);
	for (size_t i = 1; i < times.len; i++) {
		assert(times.items[i].second > times.items[i - 1].second);
		assert(times.items[i].size > times.items[i - 1].size);
		assert(log_times_offset(&times, times.items[i].second) == times.items[i].size);
	}
	assert(log_times_format(&times, &text));
	assert(log_times_parse(buf_span(&text), &again, &err) == 0 && again.len == times.len);
	assert(memcmp(again.items, times.items, times.len * sizeof(times.items[0])) == 0);
	return 0;
}
