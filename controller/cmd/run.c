/* SPDX-License-Identifier: MIT */
/* berth run: a command becomes a job. */
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controller/cmd/cmd.h"
#include "controller/ops/gc.h"
#include "controller/ops/jobs.h"
#include "controller/ops/submit.h"

struct args {
	const char *backend;
	uint64_t nodes;
	uint64_t tasks;
	uint64_t cpus;
	uint64_t memory;
	uint64_t time_ns;
	const char *hold;
	const char *partition;
	const char *account;
	struct opt_list env;
	const char *workdir;
	const char *image;
	struct opt_list allow;
	const char *shell;
	bool plain_shell;
	bool no_motd;
	bool no_vscode_folder;
	bool wait;
	bool quiet;
};

static const struct opt opts[] = {
	OPT_STR('b', "backend", struct args, backend, "NAME", "where: local (default) or slurm"),
	OPT_UINT('N', "nodes", struct args, nodes, "COUNT", "number of nodes"),
	OPT_UINT('n', "tasks", struct args, tasks, "COUNT", "number of tasks, one rank each"),
	OPT_UINT('c', "cpus", struct args, cpus, "COUNT", "CPUs for each task"),
	OPT_SIZE(0, "mem", struct args, memory, "SIZE", "memory on each node, such as 4G"),
	OPT_DURATION('t', "time", struct args, time_ns, "DURATION", "time limit, such as 90m"),
	OPT_STR(0, "hold", struct args, hold, "DURATION[,on-failure]",
		"keep the job that long after the command's end, or failure"),
	OPT_STR('p', "partition", struct args, partition, "NAME", "partition to run in"),
	OPT_STR('A', "account", struct args, account, "NAME", "account to charge"),
	OPT_LIST('e', "env", struct args, env, "KEY=VALUE", "set a variable (repeatable)"),
	OPT_STR('C', "workdir", struct args, workdir, "DIR", "directory to run in"),
	OPT_STR(0, "image", struct args, image, "DIR", "root directory to run in (local)"),
	OPT_LIST(0, "allow", struct args, allow, "HOST:PORT",
		 "let ssh forward there from inside the job (repeatable)"),
	OPT_STR(0, "shell", struct args, shell, "PATH", "shell of sessions in the job"),
	OPT_FLAG(0, "plain-shell", struct args, plain_shell,
		 "sessions without a command get no login shell"),
	OPT_FLAG(0, "no-motd", struct args, no_motd, "greet nobody at login"),
	OPT_FLAG(0, "no-vscode-folder", struct args, no_vscode_folder,
		 "let editors keep their server in the home directory"),
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

static int choose_directories(const struct args *args, struct spec *spec, char workdir[PATH_MAX],
			      char image[PATH_MAX], struct err *err)
{
	if (args->image) {
		/* Inside an image, the working directory is one of the image. */
		if (absolute("--image", args->image, image, err) < 0)
			return -1;
		spec->image = image;
		spec->workdir = args->workdir ? args->workdir : "/";
		return 0;
	}
	if (absolute("--workdir", args->workdir ? args->workdir : ".", workdir, err) < 0)
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
	const struct args *args = opaque;
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(notes_finish) struct notes notes = { 0 };
	cleanup(job_finish) struct job job = { 0 };
	char workdir[PATH_MAX], image[PATH_MAX];
	struct spec spec = {
		.nodes = args->nodes,
		.tasks = args->tasks,
		.cpus = args->cpus,
		.memory = args->memory,
		.time_ns = args->time_ns,
		.hold = args->hold,
		.partition = args->partition,
		.account = args->account,
		.env = args->env.items,
		.env_len = args->env.len,
		.allow = args->allow.items,
		.allow_len = args->allow.len,
		.shell = args->shell,
		.plain_shell = args->plain_shell,
		.no_motd = args->no_motd,
		.no_vscode_folder = args->no_vscode_folder,
	};

	if (split_operands(argc, argv, &spec, err) < 0 ||
	    choose_directories(args, &spec, workdir, image, err) < 0 ||
	    controller_open(&c, err) < 0)
		return -1;
	if (ops_submit(c, args->backend ? args->backend : "local", &spec, &job, &notes, err) < 0)
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
