/* SPDX-License-Identifier: MIT */
/* berth mv: gives files another name, or another place. */
#include <stdio.h>

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

/* What is not all there with the same sums stays where it is. */
static int move_between(const struct args *args, char **argv, struct err *err)
{
	const struct files_plan plan = { .wait_ns = cmd_wait_ns(args->files.wait_ns),
					 .carry_ns = args->files.wait_ns,
					 .progress = cmd_progress() };
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(files_close) struct files *files = NULL;
	cleanup(child_finish) struct child child = { 0 };

	if (controller_open(&c, err) < 0 || ops_files_open(c, &plan, argv[0], &files, err) < 0 ||
	    ops_files_check_free(c, files, files->path, err) < 0 ||
	    ops_files_carry(c, argv[0], argv[1], &child, err) < 0)
		return -1;
	fputs(buf_str(&child.errors), stderr);
	if (child.status != 0)
		return child.status;
	return ops_files_remove(c, files, files->path, true, err);
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	struct args *args = opaque;

	(void)argc;
	if (!files_same_place(argv[0], argv[1]))
		return move_between(args, argv, err);
	return cmd_files_pair(&args->files, argv, move, args, err);
}

const struct verb cmd_mv = {
	.name = "mv",
	.operands = "PLACE:PATH PLACE:TARGET",
	.summary = "move or rename files of clusters and jobs",
	.details = FILES_DETAILS
	"\n"
	"Into TARGET, if that is a directory; a file of that name is replaced. Between two places it\n"
	"is copied, its sums compared, and then removed.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_min = 2,
	.operands_max = 2,
	.run = run,
};
