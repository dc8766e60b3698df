/* SPDX-License-Identifier: MIT */
/* berth signal: sends a signal to the commands of jobs. */
#include "controller/cmd/cmd.h"
#include "init/base/signo.h"

static const struct opt opts[] = {
	MANY_ONLY_OPTS,
};

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct many_only *args = opaque;
	struct act act = { .kind = ACT_SIGNAL };

	if (!signo_parse(argv[0], &act.signal))
		return err_set(err, ERR_INVALID,
			       "'%.40s' is no signal: write USR1, SIGUSR1 or a number from 1 to %d",
			       argv[0], SIGNO_LAST);
	return cmd_act(&act, "has got the signal", &args->many, argc - 1, argv + 1, err);
}

const struct verb cmd_signal = {
	.name = "signal",
	.operands = "SIGNAL [jobs] [JOB...]",
	.summary = "send a signal to the command of jobs",
	.details =
		"SIGNAL is USR1, SIGUSR1 or a number. It goes to every process of the command's\n"
		"process group, on every rank.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct many_only),
	.operands_min = 1,
	.operands_max = -1,
	.run = run,
};
