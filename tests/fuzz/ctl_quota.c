/* SPDX-License-Identifier: MIT */
/* What du prints about two directories: only these get sizes, and no size is beyond 63 bits. */
#include "tests/fuzz/fuzz.h"

#include "controller/ops/quota.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static char first[] = "/j/a b", second[] = "/j/c";
	struct job jobs[] = { { .id = 1, .ended_ns = 5, .directory = first },
			      { .id = 2, .ended_ns = 5, .directory = second } };
	struct quota_item items[] = { { .job = &jobs[0] }, { .job = &jobs[1] } };
	const struct quota quota = { .bytes_max = 0, .jobs_max = QUOTA_NONE };

	quota_read_sizes(span_of(bytes, len), items, ARRAY_LEN(items));
	quota_choose(items, ARRAY_LEN(items), &quota);
	assert(items[0].job->id == 1);
	for (size_t i = 0; i < ARRAY_LEN(items); i++)
		assert(items[i].bytes <= INT64_MAX && (items[i].goes || items[i].bytes == 0));
	return 0;
}
