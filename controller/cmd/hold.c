/* SPDX-License-Identifier: MIT */
/* berth hold: a job that waits goes on waiting. */
#include "controller/cmd/cmd.h"

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct act act = { .kind = ACT_HOLD };

	(void)opaque;
	return cmd_act(&act, "is held", argc, argv, err);
}

const struct verb cmd_hold = {
	.name = "hold",
	.operands = "JOB...",
	.summary = "keep waiting jobs from starting",
	.details = "'berth release' lets them start. To keep a job after its end: run --hold.",
	.mode = OPT_PERMUTE,
	.operands_min = 1,
	.operands_max = -1,
	.run = run,
};
