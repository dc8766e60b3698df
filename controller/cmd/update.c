/* SPDX-License-Identifier: MIT */
/* berth update: changes jobs that wait or run. */
#include "controller/cmd/cmd.h"

static const struct opt opts[] = {
	OPT_DURATION('t', "time", struct change, time_ns, "DURATION", "time limit"),
	OPT_STR(0, "begin", struct change, begin, "TIME", "start not before: now, 2h, DATE"),
	OPT_STR('p', "partition", struct change, partition, "NAME", "partition to run in"),
	OPT_STR('A', "account", struct change, account, "NAME", "account to charge"),
	OPT_STR(0, "qos", struct change, qos, "NAME", "quality of service"),
	OPT_STR(0, "priority", struct change, priority, "NUMBER", "higher is sooner"),
	OPT_STR(0, "nice", struct change, nice, "NUMBER", "higher is later"),
	OPT_END,
};

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct change *change = opaque;
	const struct act act = { .kind = ACT_UPDATE, .change = *change };

	return cmd_act(&act, "is updated", argc, argv, err);
}

const struct verb cmd_update = {
	.name = "update",
	.operands = "JOB...",
	.summary = "change the limit, place or priority of jobs",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct change),
	.operands_min = 1,
	.operands_max = -1,
	.run = run,
};
