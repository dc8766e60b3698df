/* SPDX-License-Identifier: MIT */
/* berth schema: what programs get, and what a job file may be. */
#include "controller/cmd/cmd.h"
#include "controller/output/schema.h"

static int run(void *args, int argc, char **argv, struct err *err)
{
	const struct output output = { .format = OUTPUT_JSON, .out = stdout };

	(void)args;
	return output_schema(argc > 0 ? argv[0] : NULL, &output, err);
}

const struct verb cmd_schema = {
	.name = "schema",
	.operands = "[RESOURCE]",
	.summary = "print the JSON schema of what berth prints for programs",
	.details =
		"RESOURCE is what 'berth get' has (jobs, nodes, error, ...), node-with, or job-file: a\n"
		"document of a file for 'berth submit'. Without it all are printed, by name.",
	.operands_min = 0,
	.operands_max = 1,
	.run = run,
};
