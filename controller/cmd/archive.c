/* SPDX-License-Identifier: MIT */
/* berth compress, berth extract: archives (.tar.gz) where the files are. */
#include "controller/cmd/files.h"

struct args {
	struct files_args files;
};

static const struct opt opts[] = { FILES_OPTS(struct args, files), OPT_END };

static int do_archive(const struct files_visit *visit, const char *to, bool unpacks,
		      struct err *err)
{
	const struct fs_archive archive = { .from = visit->path, .to = to, .unpacks = unpacks };

	return fs_archive(visit->files->fs, &archive, err);
}

static int compress(void *arg, const struct files_visit *visit, const char *to, struct err *err)
{
	(void)arg;
	return do_archive(visit, to, false, err);
}

static int extract(void *arg, const struct files_visit *visit, const char *to, struct err *err)
{
	(void)arg;
	return do_archive(visit, to, true, err);
}

static int run_compress(void *opaque, int argc, char **argv, struct err *err)
{
	struct args *args = opaque;

	(void)argc;
	return cmd_files_pair(&args->files, argv, compress, args, err);
}

static int run_extract(void *opaque, int argc, char **argv, struct err *err)
{
	struct args *args = opaque;

	(void)argc;
	return cmd_files_pair(&args->files, argv, extract, args, err);
}

const struct verb cmd_compress = {
	.name = "compress",
	.operands = "PLACE:PATH PLACE:ARCHIVE",
	.summary = "pack a file or directory into a .tar.gz where it is",
	.details = FILES_DETAILS,
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_min = 2,
	.operands_max = 2,
	.run = run_compress,
};

const struct verb cmd_extract = {
	.name = "extract",
	.operands = "PLACE:ARCHIVE PLACE:DIRECTORY",
	.summary = "unpack a .tar.gz where it is",
	.details = FILES_DETAILS "\nThe directory is made when it is not there.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_min = 2,
	.operands_max = 2,
	.run = run_extract,
};
