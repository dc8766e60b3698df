/* SPDX-License-Identifier: MIT */
/* The status of a job as the greeting reads it: what comes out are at most two plain lines. */
#include "tests/fuzz/fuzz.h"

#include "tunnel/services/motd.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(1024);
	struct motd motd = { .job = "job-1", .host = "node", .now = 1790000000 };
	struct span line;
	int lines = 0;

	if (motd_read_status(span_of(bytes, len), len, &motd, NULL) < 0)
		assert(!motd.is_held && motd.ends <= 0);
	assert(motd_format(&motd, &b));
	line = buf_span(&b);
	for (size_t i = 0; i < line.len; i++) {
		lines += line.ptr[i] == '\n';
		assert(line.ptr[i] >= 0x20 || line.ptr[i] == '\n');
	}
	assert(lines == (motd.is_held ? 2 : 1));
	return 0;
}
