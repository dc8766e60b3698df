/* SPDX-License-Identifier: MIT */
/* berth release: a job that is held may start, one that is kept after its end may go. */
#include "controller/cmd/cmd.h"

static const struct opt opts[] = {
	MANY_ONLY_OPTS,
};

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct many_only *args = opaque;
	const struct act act = { .kind = ACT_RELEASE };

	return cmd_act(&act, "is released", &args->many, argc, argv, err);
}

const struct verb cmd_release = {
	.name = "release",
	.operands = "[jobs] [JOB...]",
	.summary = "let held jobs go: start, or end after --hold",
	.details = "A job that waits and was held ('berth hold') may start again. A job that was\n"
		   "submitted with --hold and is kept though its command has ended, ends with the\n"
		   "status that the command had; 'berth cancel' would call it cancelled.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct many_only),
	.operands_max = -1,
	.run = run,
};
