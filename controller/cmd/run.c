/* SPDX-License-Identifier: MIT */
/* berth run: a command becomes a job. */
#include <string.h>

#include "controller/cmd/submission.h"
#include "controller/ops/gc.h"
#include "controller/ops/submit.h"

struct args {
	const char *backend;
	struct spec spec;
	bool wait;
	bool quiet;
};

static const struct opt opts[] = {
	OPT_STR('b', "backend", struct args, backend, "NAME",
		"the cluster, such as local or slurm"),
	SUBMISSION_OPTS OPT_FLAG(0, "wait", struct args, wait, "return when the job runs"),
	OPT_FLAG('q', "quiet", struct args, quiet, "print only the name of the job"),
	OPT_END,
};

/*
 * Operands are "[NAME] -- COMMAND [ARG...]"; the dashes tell a name from a command. Without a
 * command the image's own may be meant: with --image here, or with dashes and one in the
 * configuration.
 */
static int split_operands(int argc, char **argv, struct spec *spec, struct err *err)
{
	int dashes = 0;

	while (dashes < argc && strcmp(argv[dashes], "--") != 0)
		dashes++;
	if (dashes > 1 || (dashes == argc && !spec->image))
		return err_set(err, ERR_INVALID,
			       "put the command after '--': berth run [NAME] [options] -- COMMAND");
	spec->name = dashes == 1 ? argv[0] : NULL;
	spec->command = (const char *const *)argv + MIN(dashes + 1, argc);
	return 0;
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	struct args *args = opaque;
	cleanup(controller_close) struct controller *c = NULL;
	const struct cmd_submission how = { .backend = args->backend,
					    .wait = args->wait,
					    .quiet = args->quiet };

	if (split_operands(argc, argv, &args->spec, err) < 0 || controller_open(&c, err) < 0 ||
	    cmd_submit_one(c, &how, &args->spec, err) < 0)
		return -1;
	ops_collect_in_passing(c);
	ops_make_spare(c);
	return 0;
}

const struct verb cmd_run = {
	.name = "run",
	.operands = "[NAME] [-- COMMAND [ARG...]]",
	.summary = "run a command as a job",
	.details =
		"The job has the environment and the working directory of this command. It runs on\n"
		"when the terminal is closed; 'berth cancel' ends it.",
	.opts = opts,
	.mode = OPT_PERMUTE_KEEP_DASHES,
	.args_size = sizeof(struct args),
	.operands_max = -1,
	.run = run,
};
