/* SPDX-License-Identifier: MIT */
/* berth stat: what a job uses. */
#include <stdio.h>
#include <string.h>

#include "controller/cmd/cmd.h"

struct args {
	uint64_t interval_ns;
	const char *output;
	uint64_t wait_ns;
};

static const struct opt opts[] = {
	OPT_DURATION('i', "interval", struct args, interval_ns, "TIME",
		     "go on, with a line each time (once)"),
	OPT_STR('o', "output", struct args, output, "FORMAT", "table (default) or json"),
	CMD_OPT_WAIT(struct args, wait_ns),
	OPT_END,
};

static int check(const struct args *args, struct err *err)
{
	if (args->output && strcmp(args->output, "table") != 0 && strcmp(args->output, "json") != 0)
		return err_set(err, ERR_INVALID, "--output: table or json, not '%s'", args->output);
	if (args->interval_ns > 0 && args->interval_ns < 100 * NSEC_PER_MSEC)
		return err_set(err, ERR_INVALID, "--interval: at least 100ms, please");
	return 0;
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct args *args = opaque;
	cleanup(argv_finish) struct argv command = { 0 };
	struct ref ref;

	(void)argc;
	if (check(args, err) < 0 || ref_parse(argv[0], &ref, err) < 0 ||
	    cmd_connect("stat", &ref, args->wait_ns, &command, err) < 0)
		return -1;
	if (args->interval_ns > 0)
		argv_addf(&command, "--interval=%llums",
			  (unsigned long long)(args->interval_ns / NSEC_PER_MSEC));
	if (args->output)
		argv_add_words(&command, "--output", args->output, NULL);
	return cmd_become(argv_words(&command), err);
}

const struct verb cmd_stat = {
	.name = "stat",
	.operands = "JOB",
	.summary = "show what a job uses: CPU, memory, disk, GPUs",
	.details = "JOB is job-7, job-7.3 (rank 3) or its name.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_min = 1,
	.operands_max = 1,
	.run = run,
};
