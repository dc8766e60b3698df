/* SPDX-License-Identifier: MIT */
/* /proc/PID/cgroup, where whoever makes a control group chooses its name, and the files in it. */
#include "tests/fuzz/fuzz.h"

#include "init/oom.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct span lines = span_of(bytes, len), path;
	size_t left = len;
	uint64_t count;
	bool is_v2;

	while (oom_next_group(&lines, &path, &is_v2)) {
		assert(path.len > 0 && *path.ptr == '/' && lines.len < left);
		assert(path.ptr >= bytes && path.ptr + path.len <= bytes + len);
		left = lines.len;
	}
	assert(lines.len == 0);
	if (oom_parse_count(span_of(bytes, len), &count))
		assert(memmem(bytes, len, "oom_kill ", 9));
	return 0;
}
