/* SPDX-License-Identifier: MIT */
/*
 * The beginning of a program, and what Slurm says of its nodes: whatever they
 * are, what comes out is a name of the table.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "controller/backends/slurm/cluster.h"
#include "controller/model/architecture.h"
#include "init/base/alloc.h"

static void check(const char *name)
{
	if (name)
		assert(architecture_name(name) == name);
}

static void read_nodes(struct span text, const char *queue)
{
	struct architectures list = { 0 };

	while (slurm_next_architecture(&text, queue, &list) == 0)
		;
	assert(text.len == 0 && list.len <= ARCHITECTURES_MAX);
	for (size_t i = 0; i < list.len; i++)
		check(list.items[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	cleanup_free char *text = str_dup_len((const char *)bytes, len);

	check(architecture_of_program(span_of(bytes, len)));
	check(architecture_name(text));
	read_nodes(span_of(bytes, len), NULL);
	read_nodes(span_of(bytes, len), "gpu");
	return 0;
}
