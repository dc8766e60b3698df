/* SPDX-License-Identifier: MIT */
/* berth init: a first configuration. */
#include "controller/cmd/cmd.h"
#include "controller/ops/where.h"

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;

	(void)opaque;
	(void)argc;
	(void)argv;
	if (controller_open(&c, err) < 0 || ops_config_init(c, err) < 0)
		return -1;
	printf("%s\n", ops_config_file(c));
	return 0;
}

const struct verb cmd_init = {
	.name = "init",
	.operands = "",
	.summary = "write a first configuration, with comments",
	.details =
		"It looks for Slurm and bubblewrap on this machine, and never overwrites a file.",
	.mode = OPT_PERMUTE,
	.operands_max = 0,
	.run = run,
};
