/* SPDX-License-Identifier: MIT */
/*
 * A constraint and the features of a node, separated by a newline. What is refused allows no node;
 * of what is not, the opposite of a group allows the node exactly when the group does not.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "controller/model/constraint.h"
#include "init/base/alloc.h"
#include "init/base/cleanup.h"
#include "init/base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup_free char *constraint = str_dup_len((const char *)bytes, len), *opposite = NULL;
	char *features = strchr(constraint, '\n');
	bool is_one, is_allowed;
	struct err err;

	if (!features)
		return 0;
	*features++ = '\0';
	is_one = constraint_check(constraint, &err) == 0;
	is_allowed = constraint_allows(constraint, features);
	assert(is_one || !is_allowed);
	opposite = str_printf("!(%s)", constraint);
	if (is_one && constraint_check(opposite, &err) == 0)
		assert(constraint_allows(opposite, features) != is_allowed);
	return 0;
}
