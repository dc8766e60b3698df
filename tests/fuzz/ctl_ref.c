/* SPDX-License-Identifier: MIT */
/*
 * Host names that ssh hands to `berth proxy`: what is accepted is safe to use in paths and
 * messages.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "controller/model/ref.h"
#include "init/base/alloc.h"
#include "init/base/cleanup.h"

static void check(const struct ref *ref)
{
	assert(ref->rank <= REF_RANK_MAX);
	assert(ref->has_rank || (ref->rank == 0 && !ref->has_inner));
	assert(ref->inner <= REF_RANK_MAX && (ref->has_inner || ref->inner == 0));
	assert((ref->id == 0) == (ref->name[0] != '\0'));
	if (ref->id == 0)
		assert(ref_check_name(ref->name, NULL) == 0);
}

/* Whatever is named, is one of those that there are. */
static void choose(const struct ref *ref)
{
	static char indices[] = "0-9:3,500000";
	static const struct job jobs[] = { { .tasks = 4 },
					   { .tasks = 1, .array = indices },
					   { .tasks = 4000, .array = indices } };
	unsigned int rank;

	for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
		if (ref_choose_rank(ref, &jobs[i], &rank, NULL) == 0)
			assert(job_has_rank(&jobs[i], rank) && rank <= JOB_RANK_MAX);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup_free char *text = str_dup_len((const char *)bytes, len);
	struct ref ref;

	if (ref_parse(text, &ref, NULL) == 0)
		check(&ref), choose(&ref);
	if (ref_parse_host(text, &ref, NULL) == 0)
		check(&ref), choose(&ref);
	return 0;
}
