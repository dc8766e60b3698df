/* SPDX-License-Identifier: MIT */
/* berth update: changes jobs that wait or run. */
#include "controller/cmd/cmd.h"

struct args {
	struct change change;
	struct many_args many;
};

static const struct opt opts[] = {
	OPT_DURATION('t', "time", struct args, change.time_ns, "DURATION", "time limit"),
	OPT_STR(0, "begin", struct args, change.begin, "TIME", "start not before: now, 2h, DATE"),
	OPT_STR('p', "partition", struct args, change.partition, "NAME", "partition to run in"),
	OPT_STR('A', "account", struct args, change.account, "NAME", "account to charge"),
	OPT_STR(0, "qos", struct args, change.qos, "NAME", "quality of service"),
	OPT_STR(0, "priority", struct args, change.priority, "NUMBER", "higher is sooner"),
	OPT_STR(0, "nice", struct args, change.nice, "NUMBER", "higher is later"),
	MANY_OPTS(struct args, many),
	OPT_END,
};

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct args *args = opaque;
	const struct act act = { .kind = ACT_UPDATE, .change = args->change };

	return cmd_act(&act, "is updated", &args->many, argc, argv, err);
}

const struct verb cmd_update = {
	.name = "update",
	.operands = "[jobs] [JOB...]",
	.summary = "change the limit, place or priority of jobs",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_max = -1,
	.run = run,
};
