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
	assert(ref->has_rank || ref->rank == 0);
	assert((ref->id == 0) == (ref->name[0] != '\0'));
	if (ref->id == 0)
		assert(ref_check_name(ref->name, NULL) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup_free char *text = str_dup_len((const char *)bytes, len);
	struct ref ref;

	if (ref_parse(text, &ref, NULL) == 0)
		check(&ref);
	if (ref_parse_host(text, &ref, NULL) == 0)
		check(&ref);
	return 0;
}
