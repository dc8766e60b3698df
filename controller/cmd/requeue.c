/* SPDX-License-Identifier: MIT */
/* berth requeue: a job that has started goes back into the queue. */
#include "controller/cmd/cmd.h"

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct act act = { .kind = ACT_REQUEUE };

	(void)opaque;
	return cmd_act(&act, "is queued again", argc, argv, err);
}

const struct verb cmd_requeue = {
	.name = "requeue",
	.operands = "JOB...",
	.summary = "stop jobs and put them back into the queue",
	.details = "The command is ended as by 'berth cancel', and starts anew later.",
	.mode = OPT_PERMUTE,
	.operands_min = 1,
	.operands_max = -1,
	.run = run,
};
