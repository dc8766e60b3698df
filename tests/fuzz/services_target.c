/* SPDX-License-Identifier: MIT */
/*
 * CONNECT targets and rules of the allow list: the first line is the target, the second a rule, the
 * whole is tried as the path of a socket. What is accepted is well-formed.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "init/base/alloc.h"
#include "tunnel/services/target.h"

static void try_target(const char *authority, char *rule)
{
	struct target target;

	if (target_parse(authority, &target, NULL) < 0)
		return;
	assert(target.port != 0 && target.host[0] != '\0');
	assert(strlen(target.host) <= TARGET_HOST_MAX);
	assert(!strpbrk(target.host, "[]/@ \n"));
	assert(target_is_allowed(&target, NULL, 0) == target_is_loopback(&target));
	if (target_is_loopback(&target))
		assert(target_is_allowed(&target, &rule, 1));
	else
		(void)target_is_allowed(&target, &rule, 1);
}

static void try_unix(const char *text)
{
	char path[TARGET_PATH_MAX + 1];

	if (target_parse_unix(text, path, NULL) == 0)
		assert(path[0] == '/' && strlen(path) <= TARGET_PATH_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	char *text = str_dup_len((const char *)bytes, len), *rule = strchr(text, '\n');

	try_unix(text);
	if (rule)
		*rule++ = '\0';
	try_target(text, rule ? rule : text);
	free(text);
	return 0;
}
