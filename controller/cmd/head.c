/* SPDX-License-Identifier: MIT */
/* berth head, berth tail: the beginning or end of files. */
#include <unistd.h>

#include "controller/cmd/files.h"

#define LINES 10

struct args {
	uint64_t lines, bytes;
	struct files_args files;
};

static const struct opt opts[] = {
	OPT_UINT('n', "lines", struct args, lines, "COUNT", "so many lines (10)"),
	OPT_SIZE('c', "bytes", struct args, bytes, "SIZE", "so many bytes instead"),
	FILES_OPTS(struct args, files),
	OPT_END,
};

static struct fs_part part_of(const struct args *args)
{
	struct fs_part part = { .lines = args->lines, .bytes = args->bytes };

	if (args->lines == 0 && args->bytes == 0)
		part.lines = LINES;
	return part;
}

static int head(void *arg, const struct files_visit *visit, struct err *err)
{
	const struct fs_part part = part_of(arg);

	return fs_head(visit->files->fs, visit->path, &part, STDOUT_FILENO, err);
}

static int tail(void *arg, const struct files_visit *visit, struct err *err)
{
	const struct fs_part part = part_of(arg);

	return fs_tail(visit->files->fs, visit->path, &part, STDOUT_FILENO, err);
}

static int check(const struct args *args, struct err *err)
{
	return args->lines && args->bytes
		       ? err_set(err, ERR_INVALID, "--lines and --bytes: one of them, please")
		       : 0;
}

static int run_head(void *opaque, int argc, char **argv, struct err *err)
{
	struct args *args = opaque;

	return check(args, err) < 0 ? -1
				    : cmd_files_each(&args->files, argc, argv, head, args, err);
}

static int run_tail(void *opaque, int argc, char **argv, struct err *err)
{
	struct args *args = opaque;

	return check(args, err) < 0 ? -1
				    : cmd_files_each(&args->files, argc, argv, tail, args, err);
}

const struct verb cmd_head = {
	.name = "head",
	.operands = "PLACE:PATH...",
	.summary = "print the beginning of files of a cluster or in a job",
	.details = FILES_DETAILS,
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_min = 1,
	.operands_max = -1,
	.run = run_head,
};

const struct verb cmd_tail = {
	.name = "tail",
	.operands = "PLACE:PATH...",
	.summary = "print the end of files of a cluster or in a job",
	.details = FILES_DETAILS,
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_min = 1,
	.operands_max = -1,
	.run = run_tail,
};
