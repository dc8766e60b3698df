/* SPDX-License-Identifier: MIT */
/* berth rm: removes files. */
#include <stdio.h>
#include <unistd.h>

#include "controller/cmd/files.h"
#include "controller/output/table.h"
#include "init/base/alloc.h"

struct args {
	bool recursive, yes, force;
	struct files_args files;
};

static const struct opt opts[] = {
	OPT_FLAG('r', "recursive", struct args, recursive, "directories, with what is in them"),
	OPT_FLAG('f', "force", struct args, force, "what is not there is no failure"),
	OPT_FLAG('y', "yes", struct args, yes, "do not ask"),
	FILES_OPTS(struct args, files),
	OPT_END,
};

/* 1: yes; 0: no. A directory may hold more than meets the eye. */
static int ask(const char *operand, struct err *err)
{
	cleanup_free char *safe = str_dup(operand);
	char answer[8] = "";

	table_make_safe(safe);
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return err_set(err, ERR_INVALID,
			       "this would remove the directory '%s' with all that is in it: --yes "
			       "does it",
			       safe);
	fprintf(stderr, "remove '%s' with all that is in it? [y/N] ", safe);
	if (fgets(answer, sizeof(answer), stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
		return 1;
	fprintf(stderr, "berth: '%s' was not touched\n", safe);
	return 0;
}

static int remove_one(void *arg, const struct files_visit *visit, struct err *err)
{
	const struct args *args = arg;
	struct fs *fs = visit->files->fs;
	cleanup(fs_entry_finish) struct fs_entry entry = { 0 };
	struct err why = { 0 };
	int sure;

	if (visit->path[0] != '\0' && fs_stat(fs, visit->path, false, &entry, &why) < 0) {
		if (args->force && why.kind == ERR_NOT_FOUND)
			return 0;
		return err_set(err, why.kind, "%s", why.text);
	}
	if (entry.type == 'd' && args->recursive && !args->yes) {
		sure = ask(visit->operand, err);
		if (sure <= 0)
			return sure;
	}
	return ops_files_remove(visit->c, visit->files, visit->path, args->recursive, err);
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	struct args *args = opaque;

	return cmd_files_each(&args->files, argc, argv, remove_one, args, err);
}

const struct verb cmd_rm = {
	.name = "rm",
	.operands = "PLACE:PATH...",
	.summary = "remove files of a cluster or in a job",
	.details = FILES_DETAILS
	"\n"
	"Refused are the root, your home, what a job that has not ended needs, and a\n"
	"directory without -r.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_min = 1,
	.operands_max = -1,
	.run = run,
};
