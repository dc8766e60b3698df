/* SPDX-License-Identifier: MIT */
/* berth version: what --version prints, for those who look for a verb. */
#include <stdio.h>

#include "controller/cmd/cmd.h"

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	(void)opaque;
	(void)argc;
	(void)argv;
	(void)err;
	puts("berth " BERTH_VERSION);
	return 0;
}

const struct verb cmd_version = {
	.name = "version",
	.operands = "",
	.summary = "print the version",
	.mode = OPT_PERMUTE,
	.run = run,
};
