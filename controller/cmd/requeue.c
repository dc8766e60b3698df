/* SPDX-License-Identifier: MIT */
/* berth requeue: a job that has started goes back into the queue. */
#include "controller/cmd/cmd.h"

static const struct opt opts[] = {
	MANY_ONLY_OPTS,
};

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct many_only *args = opaque;
	const struct act act = { .kind = ACT_REQUEUE };

	return cmd_act(&act, "is queued again", &args->many, argc, argv, err);
}

const struct verb cmd_requeue = {
	.name = "requeue",
	.operands = "[jobs] [JOB...]",
	.summary = "stop jobs and put them back into the queue",
	.details = "The command is ended as by 'berth cancel', and starts anew later.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct many_only),
	.operands_max = -1,
	.run = run,
};
