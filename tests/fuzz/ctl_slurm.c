/* SPDX-License-Identifier: MIT */
/*
 * What squeue, sacct and sbatch print: it is read to its end, and nothing that a terminal would act
 * on gets through. The first byte of the input is not part of it.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "controller/backends/slurm_text.h"

static void check_text(const char *text, size_t size)
{
	assert(strnlen(text, size) < size);
	for (; *text; text++)
		assert((unsigned char)*text >= 0x20 && *text != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct span text = span_of(bytes, len);
	struct observation seen;
	uint64_t id;
	int kind;

	if (len == 0)
		return 0;
	span_cut(&text, 1);
	if (slurm_parse_submitted(text, &id))
		assert(id > 0);
	do {
		size_t before = text.len;

		kind = slurm_next_line(&text, &id, &seen);
		assert(kind < 0 || text.len < before);
		if (kind != 1)
			continue;
		check_text(seen.native_state, sizeof(seen.native_state));
		check_text(seen.reason, sizeof(seen.reason));
		assert(seen.exit_code >= JOB_NO_EXIT_CODE && seen.exit_code <= 255);
		assert(seen.signal >= 0 && seen.signal <= 127);
	} while (kind >= 0);
	assert(text.len == 0);
	return 0;
}
