/* SPDX-License-Identifier: MIT */
/* berth cp: files between this machine, clusters and jobs. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cmd/cp.h"

static const struct opt opts[] = {
	OPT_FLAG('r', "recursive", struct cp_args, recursive,
		 "copy directories with what is in them"),
	OPT_FLAG('p', "preserve", struct cp_args, preserve, "keep permissions and times"),
	OPT_FLAG(0, "resume", struct cp_args, resume,
		 "go on where an interrupted copy with --resume ended"),
	OPT_FLAG(0, "verify", struct cp_args, verify,
		 "compare SHA-256 of both before a file gets its name"),
	OPT_FLAG('q', "quiet", struct cp_args, quiet, "no progress, also on a terminal"),
	CMD_OPT_WAIT(struct cp_args, wait_ns),
	OPT_END,
};

static int check(int argc, char **argv, struct err *err)
{
	for (int i = 1; i + 1 < argc; i++) {
		if (!files_same_place(argv[0], argv[i]))
			return err_set(err, ERR_INVALID,
				       "'%s' is elsewhere than '%s': copy from one place at a time",
				       argv[i], argv[0]);
	}
	if (files_place_len(argv[0]) == 0 && files_place_len(argv[argc - 1]) == 0)
		return err_set(err, ERR_INVALID,
			       "both sides are here: write JOB:PATH or CLUSTER:PATH for what is "
			       "elsewhere");
	return 0;
}

/*
 * Options of one side have that before them: --from-client-file, --to-rank. The program itself and
 * the verb come only once.
 */
static void add_side(const struct files_way *way, const char *side, struct argv *command)
{
	if (command->len == 0)
		argv_add_words(command, way->command.items[0], way->command.items[1], NULL);
	for (size_t i = 2; i < way->command.len; i++) {
		const char *word = way->command.items[i];

		if (strncmp(word, "--", 2) == 0)
			argv_addf(command, "--%s-%s", side, word + 2);
		else
			argv_add(command, word);
	}
}

static void add_options(const struct cp_args *args, struct argv *command)
{
	const struct {
		bool set;
		const char *word;
	} flags[] = {
		{ args->recursive, "--recursive" }, { args->preserve, "--preserve" },
		{ args->resume, "--resume" },	    { args->verify, "--verify" },
		{ args->quiet, "--quiet" },
	};

	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		if (flags[i].set)
			argv_add(command, flags[i].word);
	}
	argv_add(command, "--");
}

static int become(const struct cp_args *args, const struct files_way *from,
		  const struct files_way *to, int argc, char **argv, struct err *err)
{
	cleanup(argv_finish) struct argv command = { 0 };

	add_side(from, "from", &command);
	add_side(to, "to", &command);
	add_options(args, &command);
	for (int i = 0; i < argc; i++) {
		cleanup_free char *path = files_way_path(i + 1 < argc ? from : to, argv[i]);

		argv_add(&command, path);
	}
	return cmd_become(argv_words(&command), err);
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct cp_args *args = opaque;
	const struct files_plan plan = { .wait_ns = cmd_wait_ns(args->wait_ns),
					 .progress = cmd_progress(),
					 .wants_server = args->resume || args->verify };
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(files_way_finish) struct files_way from = { 0 }, to = { 0 };

	if (check(argc, argv, err) < 0 || controller_open(&c, err) < 0 ||
	    ops_files_way(c, &plan, argv[0], &from, err) < 0 ||
	    ops_files_way(c, &plan, argv[argc - 1], &to, err) < 0)
		return -1;
	if (from.carries_whole || to.carries_whole)
		return cp_whole(c, args, &from, &to, argc, argv, err);
	return become(args, &from, &to, argc, argv, err);
}

const struct verb cmd_cp = {
	.name = "cp",
	.operands = "SOURCE... TARGET",
	.summary = "copy files to, from and between clusters and jobs",
	.details =
		"What is elsewhere is written CLUSTER:PATH (relative to your home there) or JOB:PATH\n"
		"(relative to its working directory): hpc:out, job-7:out, job-7.3:/tmp/x. '-' is standard\n"
		"input or output.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct cp_args),
	.operands_min = 2,
	.operands_max = -1,
	.run = run,
};
