/* SPDX-License-Identifier: MIT */
/* berth mkdir: makes directories. */
#include "controller/cmd/files.h"

struct args {
	bool parents;
	struct files_args files;
};

static const struct opt opts[] = {
	OPT_FLAG('p', "parents", struct args, parents,
		 "also those that it is in; one that is there is no failure"),
	FILES_OPTS(struct args, files),
	OPT_END,
};

static int make(void *arg, const struct files_visit *visit, struct err *err)
{
	const struct args *args = arg;

	return fs_make_dir(visit->files->fs, visit->path, args->parents, err);
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	struct args *args = opaque;

	return cmd_files_each(&args->files, argc, argv, make, args, err);
}

const struct verb cmd_mkdir = {
	.name = "mkdir",
	.operands = "PLACE:PATH...",
	.summary = "make directories on a cluster or in a job",
	.details = FILES_DETAILS,
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_min = 1,
	.operands_max = -1,
	.run = run,
};
