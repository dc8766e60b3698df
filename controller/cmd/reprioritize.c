/* SPDX-License-Identifier: MIT */
/* berth reprioritize: gives jobs another priority; berth update --priority in other words. */
#include <string.h>

#include "controller/cmd/cmd.h"

static const struct opt opts[] = {
	MANY_ONLY_OPTS,
};

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct many_only *args = opaque;
	int skipped = strcmp(argv[0], "jobs") == 0 || strcmp(argv[0], "job") == 0;
	struct act act = { .kind = ACT_UPDATE, .word = "reprioritize" };

	if (skipped == argc)
		return err_set(err, ERR_INVALID,
			       "which priority? berth reprioritize jobs 9 --name 'train*'");
	act.change.priority = argv[skipped];
	return cmd_act(&act, "has another priority", &args->many, argc - skipped - 1,
		       argv + skipped + 1, err);
}

const struct verb cmd_reprioritize = {
	.name = "reprioritize",
	.operands = "[jobs] PRIORITY [JOB...]",
	.summary = "give jobs another priority",
	.details =
		"PRIORITY is a number above 0; higher is sooner. Without names, options say what\n"
		"the jobs have in common; all must be true.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct many_only),
	.operands_min = 1,
	.operands_max = -1,
	.run = run,
};
