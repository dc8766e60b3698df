/* SPDX-License-Identifier: MIT */
/* berth stat: what a job uses, or what a file is. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controller/cmd/files.h"
#include "controller/model/json.h"
#include "controller/ops/jobs.h"
#include "controller/ops/runs.h"
#include "controller/output/files.h"
#include "controller/output/runs.h"
#include "controller/output/value.h"
#include "init/base/text.h"

struct args {
	uint64_t interval_ns;
	const char *output;
	uint64_t wait_ns;
	bool scheduler;
};

static const struct opt opts[] = {
	OPT_DURATION('i', "interval", struct args, interval_ns, "TIME",
		     "go on, with a line each time (once)"),
	OPT_STR('o', "output", struct args, output, "FORMAT", "table (default) or json"),
	OPT_FLAG(0, "scheduler", struct args, scheduler, "ask the scheduler (sstat), not the job"),
	CMD_OPT_WAIT(struct args, wait_ns),
	OPT_END,
};

static int check(const struct args *args, struct err *err)
{
	if (args->output && strcmp(args->output, "table") != 0 && strcmp(args->output, "json") != 0)
		return err_set(err, ERR_INVALID, "--output: table or json, not '%s'", args->output);
	if (args->interval_ns > 0 && args->interval_ns < 100 * NSEC_PER_MSEC)
		return err_set(err, ERR_INVALID, "--interval: at least 100ms, please");
	return 0;
}

static void print(const struct use *use, const char *format)
{
	char cpu[32], rss[32], in[32], out[32];

	if (format && strcmp(format, "json") == 0) {
		printf("{\"tasks\": %" PRIu64 ", \"max_rss\": %" PRIu64 ", \"cpu_ms\": %" PRIu64
		       ", \"read\": %" PRIu64 ", \"written\": %" PRIu64 "}\n",
		       use->tasks, use->max_rss, use->cpu_ns / NSEC_PER_MSEC, use->read,
		       use->written);
		return;
	}
	text_format_duration(use->cpu_ns, cpu, sizeof(cpu));
	output_format_size(use->max_rss, rss, sizeof(rss));
	output_format_size(use->read, in, sizeof(in));
	output_format_size(use->written, out, sizeof(out));
	printf("TASKS  CPU-TIME  MAX-RSS  READ  WRITTEN\n%-5" PRIu64 "  %-8s  %-7s  %-4s  %s\n",
	       use->tasks, cpu, rss[0] ? rss : "-", in[0] ? in : "-", out[0] ? out : "-");
}

/* Less than the job itself would tell, and that from the scheduler's last look. */
static int ask_scheduler(const struct args *args, const struct ref *ref, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(job_finish) struct job job = { 0 };
	struct use use;

	if (args->interval_ns > 0)
		return err_set(err, ERR_INVALID,
			       "--interval: the scheduler measures as it likes: leave it out");
	if (controller_open(&c, err) < 0 || ops_find(c, ref, &job, err) < 0 ||
	    ops_check_not_ended(&job, err) < 0 || ops_stat_by_scheduler(c, &job, &use, err) < 0)
		return -1;
	print(&use, args->output);
	return 0;
}

static int show_file(void *arg, const struct files_visit *visit, struct err *err)
{
	const struct args *args = arg;
	cleanup(fs_entry_finish) struct fs_entry entry = { 0 };
	cleanup(json_release) json_t *values = json_array();
	struct output output;

	if (cmd_files_output(args->output, &output, err) < 0 ||
	    fs_stat(visit->files->fs, visit->path, false, &entry, err) < 0)
		return -1;
	json_array_append_new(values, output_file_value(&entry, visit->path));
	if (output.format == OUTPUT_JSON)
		value_print(values, &output);
	else
		output_describe_file(&entry, &output);
	return output_end(&output, err);
}

static int stat_file(struct args *args, char **argv, struct err *err)
{
	const struct files_args files = { .wait_ns = args->wait_ns };

	if (args->interval_ns > 0 || args->scheduler)
		return err_set(err, ERR_INVALID,
			       "--interval and --scheduler are about jobs: leave them out");
	return cmd_files_each(&files, 1, argv, show_file, args, err);
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	struct args *args = opaque;
	cleanup(argv_finish) struct argv command = { 0 };
	struct ref ref;
	struct err why;

	(void)argc;
	if (check(args, err) < 0)
		return -1;
	/* No job has a colon or slash in its name. */
	if (strpbrk(argv[0], ":/"))
		return stat_file(args, argv, err);
	if (ref_parse(argv[0], &ref, err) < 0)
		return -1;
	if (args->scheduler)
		return ask_scheduler(args, &ref, err);
	if (cmd_connect("stat", &ref, args->wait_ns, &command, err) < 0) {
		/* A job without its tunnel is measured all the same. */
		if (!err || err->kind != ERR_UNAVAILABLE || ask_scheduler(args, &ref, &why) < 0)
			return -1;
		return 0;
	}
	if (args->interval_ns > 0)
		argv_addf(&command, "--interval=%llums",
			  (unsigned long long)(args->interval_ns / NSEC_PER_MSEC));
	if (args->output)
		argv_add_words(&command, "--output", args->output, NULL);
	return cmd_become(argv_words(&command), err);
}

const struct verb cmd_stat = {
	.name = "stat",
	.operands = "JOB|PLACE:PATH",
	.summary = "show what a job uses (CPU, memory, disk, GPUs), or what a file is",
	.details =
		"JOB is job-7, job-7.3 (rank 3) or its name; job-7:PATH is a file in it, CLUSTER:PATH one\n"
		"of a cluster.",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_min = 1,
	.operands_max = 1,
	.run = run,
};
