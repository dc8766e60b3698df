/* SPDX-License-Identifier: MIT */
/* berth mv: gives files another name, in one place. */
#include "controller/cmd/files.h"

struct args {
	struct files_args files;
};

static const struct opt opts[] = { FILES_OPTS(struct args, files), OPT_END };

static int move(void *arg, const struct files_visit *visit, const char *to, struct err *err)
{
	(void)arg;
	return ops_files_rename(visit->c, visit->files, visit->path, to, err);
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	struct args *args = opaque;

	(void)argc;
	return cmd_files_pair(&args->files, argv, move, args, err);
}

const struct verb cmd_mv = {
	.name = "mv",
	.operands = "PLACE:PATH PLACE:TARGET",
	.summary = "move or rename a file of a cluster or in a job",
	.details = FILES_DETAILS
	"\n"
	"Into TARGET, if that is a directory; a file of that name is replaced.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_min = 2,
	.operands_max = 2,
	.run = run,
};
