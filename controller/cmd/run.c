/* SPDX-License-Identifier: MIT */
/* berth run: a command becomes a job. */
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controller/cmd/cmd.h"
#include "controller/model/spec_options.h"
#include "controller/ops/gc.h"
#include "controller/ops/jobs.h"
#include "controller/ops/submit.h"

struct args {
	const char *backend;
	struct spec spec;
	bool wait;
	bool quiet;
};

#define SPEC_STR(letter, name, member, value, help) \
	OPT_STR(letter, name, struct args, spec.member, value, help)
#define SPEC_UINT(letter, name, member, value, help) \
	OPT_UINT(letter, name, struct args, spec.member, value, help)
#define SPEC_SIZE(letter, name, member, value, help) \
	OPT_SIZE(letter, name, struct args, spec.member, value, help)
#define SPEC_DURATION(letter, name, member, value, help) \
	OPT_DURATION(letter, name, struct args, spec.member, value, help)
#define SPEC_FLAG(letter, name, member, value, help) \
	OPT_FLAG(letter, name, struct args, spec.member, help)
#define SPEC_LIST(letter, name, member, value, help) \
	OPT_LIST(letter, name, struct args, spec.member, value, help)

static const struct opt opts[] = {
	OPT_STR('b', "backend", struct args, backend, "NAME", "where: local (default) or slurm"),
#define X(kind, letter, name, member, value, check, sbatch, local, help) \
	SPEC_##kind(letter, name, member, value, help),
	SPEC_OPTIONS(X)
#undef X
#define X(kind, name, member) SPEC_##kind(0, name, member, "VALUE", NULL),
		SPEC_ALIASES(X)
#undef X
			OPT_FLAG(0, "wait", struct args, wait, "return when the job runs"),
	OPT_FLAG('q', "quiet", struct args, quiet, "print only the name of the job"),
	OPT_END,
};

/* Operands are "[NAME] -- COMMAND [ARG...]"; the dashes tell a name from a command. */
static int split_operands(int argc, char **argv, struct spec *spec, struct err *err)
{
	int dashes = 0;

	while (dashes < argc && strcmp(argv[dashes], "--") != 0)
		dashes++;
	if (dashes > 1 || dashes + 1 >= argc)
		return err_set(err, ERR_INVALID,
			       "put the command after '--': berth run [NAME] [options] -- COMMAND");
	spec->name = dashes == 1 ? argv[0] : NULL;
	spec->command = (const char *const *)argv + dashes + 1;
	return 0;
}

/* An existing directory as an absolute path. */
static int absolute(const char *option, const char *path, char out[PATH_MAX], struct err *err)
{
	if (!realpath(path, out))
		return err_set_errno(err, errno, "%s: %s", option, path);
	return 0;
}

static int choose_directories(struct spec *spec, char workdir[PATH_MAX], char image[PATH_MAX],
			      struct err *err)
{
	if (spec->image) {
		/* Inside an image, the working directory is one of the image. */
		if (absolute("--image", spec->image, image, err) < 0)
			return -1;
		spec->image = image;
		spec->workdir = spec->workdir ? spec->workdir : "/";
		return 0;
	}
	if (absolute("--workdir", spec->workdir ? spec->workdir : ".", workdir, err) < 0)
		return -1;
	spec->workdir = workdir;
	return 0;
}

static void show(const struct args *args, const struct job *job)
{
	if (args->quiet) {
		printf("job-%" PRIu64 "\n", job->id);
		return;
	}
	printf("job-%" PRIu64 " is %s on %s", job->id, job_state_word(job->state), job->backend);
	if (!job_state_is_ended(job->state))
		printf("; enter it with: ssh job-%" PRIu64, job->id);
	putchar('\n');
}

static bool is_waiting(const struct job *job)
{
	return job->state == JOB_DEFINED || job->state == JOB_QUEUED || job->state == JOB_STARTING;
}

static int wait_until_it_runs(struct controller *c, struct job *job, struct err *err)
{
	while (is_waiting(job)) {
		unsigned int ms = ops_poll_interval_ms(c, job);
		struct timespec pause = { .tv_sec = ms / 1000,
					  .tv_nsec = (long)(ms % 1000) * 1000000 };

		if (ops_refresh_job(c, job, err) < 0)
			return err_wrap(err, "job-%" PRIu64 " is submitted, but", job->id);
		if (is_waiting(job))
			nanosleep(&pause, NULL);
	}
	return 0;
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	struct args *args = opaque;
	struct spec *spec = &args->spec;
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(notes_finish) struct notes notes = { 0 };
	cleanup(job_finish) struct job job = { 0 };
	char workdir[PATH_MAX], image[PATH_MAX];

	if (split_operands(argc, argv, spec, err) < 0 ||
	    choose_directories(spec, workdir, image, err) < 0 || controller_open(&c, err) < 0)
		return -1;
	if (ops_submit(c, args->backend ? args->backend : "local", spec, &job, &notes, err) < 0)
		return err_wrap(err, "cannot submit");
	cmd_show_notes(&notes);
	if (args->wait && wait_until_it_runs(c, &job, err) < 0)
		return -1;
	show(args, &job);
	ops_collect_in_passing(c);
	return 0;
}

const struct verb cmd_run = {
	.name = "run",
	.operands = "[NAME] -- COMMAND [ARG...]",
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
