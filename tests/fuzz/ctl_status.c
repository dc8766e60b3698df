/* SPDX-License-Identifier: MIT */
/* status.RANK.json, which a job can write: what is accepted keeps its promises. */
#include "tests/fuzz/fuzz.h"

#include "controller/model/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct status status;
	struct err err;

	if (status_parse(span_of(bytes, len), &status, &err) < 0) {
		assert(err.text[0] != '\0');
		return 0;
	}
	assert(status.exit_code >= -1 && status.exit_code <= 255);
	assert(status.signal >= 0 && status.signal <= 64);
	assert(status.pid >= 0 && status.init_pid >= 0);
	assert(!status.exited || !status.held);
	assert(!(status.exited || status.held) || status.exit_code >= 0 || status.signal > 0);
	return 0;
}
