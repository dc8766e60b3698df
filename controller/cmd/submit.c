/* SPDX-License-Identifier: MIT */
/* berth submit: jobs that are written down in a file. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cmd/submission.h"
#include "controller/model/spec_file.h"
#include "controller/ops/fetch.h"
#include "controller/ops/gc.h"
#include "controller/ops/submit.h"
#include "controller/ops/where.h"
#include "init/base/fd.h"
#include "init/base/fs.h"

struct args {
	const char *file;
	const char *backend;
	bool dry_run;
	bool wait;
	bool quiet;
	struct spec spec; /* goes before what the file says */
};

static const struct opt opts[] = {
	OPT_STR('f', "file", struct args, file, "FILE",
		"job file or batch script, also CLUSTER:PATH; - is stdin"),
	OPT_STR('b', "backend", struct args, backend, "NAME", "where, when the file does not say"),
	OPT_FLAG(0, "dry-run", struct args, dry_run, "only show what Slurm would be handed"),
	OPT_FLAG(0, "wait", struct args, wait, "return when the jobs run"),
	OPT_FLAG('q', "quiet", struct args, quiet, "print only the names of the jobs"),
	OPT_STR(0, "name", struct args, spec.name, "NAME", "the name of the job"),
	SUBMISSION_OPTS OPT_END,
};

static int read_file(struct controller *c, const char *name, struct spec_file *ret,
		     char **ret_cluster, struct err *err)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(SPEC_FILE_MAX + 1);
	bool is_stdin = strcmp(name, "-") == 0;

	if (is_stdin ? fd_read_all(0, SPEC_FILE_MAX + 1, &text, err) < 0
		     : ops_fetch(c, name, SPEC_FILE_MAX, &text, ret_cluster, err) < 0)
		return -1;
	return spec_file_parse(is_stdin ? "stdin" : name, buf_span(&text), ret, err);
}

/* Nothing is submitted when one of the jobs could not be; workdir is chosen later. */
static int check_all(const struct args *args, const struct spec_file *file, struct err *err)
{
	for (size_t i = 0; i < file->len; i++) {
		struct spec spec = file->items[i]->spec;

		spec.workdir = "/";
		if (spec_check(&spec, err) < 0)
			return err_wrap(err, "%s: job %zu", args->file, i + 1);
	}
	return 0;
}

/* Variables of sbatch's count more than a script's lines, but not more than a command line. */
static void forget_variable(const struct spec_option *option)
{
	static const struct {
		const char *option, *name;
	} odd[] = {
		{ "array", "ARRAY_INX" },
		{ "mem", "MEM_PER_NODE" },
		{ "time", "TIMELIMIT" },
	};
	const char *sbatch = spec_option_of_sbatch(option), *name = sbatch;
	char variable[64] = "SBATCH_";
	size_t len = strlen(variable);

	for (size_t i = 0; sbatch && i < ARRAY_LEN(odd); i++)
		name = strcmp(sbatch, odd[i].option) == 0 ? odd[i].name : name;
	if (!name)
		return;
	for (; *name && len < sizeof(variable) - 1; name++)
		variable[len++] = (char)(*name == '-' ? '_' : toupper((unsigned char)*name));
	unsetenv(variable);
}

/* What the command line says is right on its own, and goes before what the file says. */
static int override(const struct args *args, struct spec_file *file, struct err *err)
{
	static const char *const command[] = { "true", NULL };
	struct spec given = args->spec;

	given.command = command;
	given.workdir = "/";
	if (spec_check(&given, err) < 0)
		return -1;
	for (size_t i = 0; i < file->len; i++) {
		if (spec_override(file, &file->items[i]->spec, &args->spec, err) < 0)
			return -1;
	}
	for (const struct spec_option *option = spec_options; option->name; option++) {
		if (spec_has(&args->spec, option))
			forget_variable(option);
	}
	return 0;
}

/*
 * NULL: the chosen cluster. The file's own word wins. A script says none, but it is a scheduler's:
 * this machine, which runs jobs without one, takes it only when -b says so.
 */
static int choose_backend(struct controller *c, const struct args *args,
			  const struct spec_document *job, const char **ret, struct err *err)
{
	struct where where;

	*ret = job->backend;
	if (args->backend && (job->spec.script || !job->backend))
		*ret = args->backend;
	else if (job->spec.script) {
		if (ops_choose(c, NULL, &where, err) < 0)
			return -1;
		if (strcmp(where.backend, "local") != 0)
			*ret = NULL;
	}
	return 0;
}

static int submit_one(struct controller *c, const struct args *args, struct spec_document *job,
		      struct err *err)
{
	struct cmd_submission how = { .wait = args->wait,
				      .quiet = args->quiet,
				      .dry_run = args->dry_run };

	if (choose_backend(c, args, job, &how.backend, err) < 0)
		return -1;
	return cmd_submit_one(c, &how, &job->spec, err);
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	struct args *args = opaque;
	cleanup(spec_file_finish) struct spec_file file = { 0 };
	cleanup(controller_close) struct controller *c = NULL;
	cleanup_free char *cluster = NULL;

	if (argc == 1 && !args->file)
		args->file = argv[0];
	else if (argc > 0 || !args->file)
		return err_set(err, ERR_INVALID, "name one file: berth submit -f FILE");
	if (controller_open(&c, err) < 0 || read_file(c, args->file, &file, &cluster, err) < 0 ||
	    override(args, &file, err) < 0 || check_all(args, &file, err) < 0)
		return -1;
	/* A script that lies on a cluster is that cluster's, unless another one is named. */
	if (!args->backend && !controller_choice.cluster && !controller_choice.context)
		args->backend = cluster;
	for (size_t i = 0; i < file.len; i++) {
		if (submit_one(c, args, file.items[i], err) < 0)
			return err_wrap(err, "%s: job %zu", args->file, i + 1);
	}
	if (!args->dry_run) {
		ops_collect_in_passing(c);
		ops_make_spare(c);
	}
	return 0;
}

const struct verb cmd_submit = {
	.name = "submit",
	.operands = "[FILE]",
	.summary = "submit the jobs of a file",
	.details =
		"The file is YAML or JSON, one document a job, with the options of 'berth run' as\n"
		"keys; or a batch script with #SBATCH lines. Options given here go before it.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_max = 1,
	.run = run,
};
