/* SPDX-License-Identifier: MIT */
/*
 * A list of nodes and a name, separated by a newline: the list is only read, whatever it holds, and
 * a plain name is in the list that is nothing but this name.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "controller/model/hostlist.h"
#include "init/base/alloc.h"
#include "init/base/cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup_free char *list = str_dup_len((const char *)bytes, len);
	char *node = strchr(list, '\n');

	if (!node)
		return 0;
	*node++ = '\0';
	assert(!hostlist_has(list, ""));
	if (hostlist_has(list, node))
		assert(list[0] != '\0');
	if (node[0] != '\0' && !strpbrk(node, "[],"))
		assert(hostlist_has(node, node));
	return 0;
}
