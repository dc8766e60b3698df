/* SPDX-License-Identifier: MIT */
/* berth hold: a job that waits goes on waiting. */
#include "controller/cmd/cmd.h"

static const struct opt opts[] = {
	MANY_ONLY_OPTS,
};

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct many_only *args = opaque;
	const struct act act = { .kind = ACT_HOLD };

	return cmd_act(&act, "is held", &args->many, argc, argv, err);
}

const struct verb cmd_hold = {
	.name = "hold",
	.operands = "[jobs] [JOB...]",
	.summary = "keep waiting jobs from starting",
	.details = "'berth release' lets them start. To keep a job after its end: run --hold.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct many_only),
	.operands_max = -1,
	.run = run,
};
