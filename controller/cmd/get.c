/* SPDX-License-Identifier: MIT */
/* berth get jobs: lists jobs. */
#include <string.h>
#include <time.h>

#include "controller/cmd/cmd.h"
#include "controller/ops/gc.h"
#include "controller/ops/jobs.h"
#include "controller/output/jobs.h"

struct args {
	const char *output;
	bool all;
};

static const struct opt opts[] = {
	OPT_STR('o', "output", struct args, output, "FORMAT", "table, wide, json or name"),
	OPT_FLAG('a', "all", struct args, all, "also jobs that ended more than a day ago"),
	OPT_END,
};

static int check_resource(const char *resource, struct err *err)
{
	if (strcmp(resource, "jobs") == 0 || strcmp(resource, "job") == 0)
		return 0;
	return err_set(err, ERR_INVALID, "cannot get '%.40s': there are jobs", resource);
}

static int select_jobs(struct controller *c, const struct args *args, int argc, char **argv,
		       struct job_list *ret, struct err *err)
{
	if (argc == 0)
		return ops_list(c, args->all, ret, err);
	for (int i = 0; i < argc; i++) {
		cleanup(job_finish) struct job job = { 0 };

		if (ops_find_text(c, argv[i], &job, err) < 0)
			return -1;
		job_list_take(ret, &job);
	}
	return 0;
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct args *args = opaque;
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	enum output_format format;
	struct timespec now;
	int refreshed;

	if (check_resource(argv[0], err) < 0 ||
	    output_parse_format(args->output, &format, err) < 0 || controller_open(&c, err) < 0 ||
	    select_jobs(c, args, argc - 1, argv + 1, &jobs, err) < 0)
		return -1;
	refreshed = ops_refresh(c, &jobs, err);
	clock_gettime(CLOCK_REALTIME, &now);
	if (output_jobs(&jobs, format, (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec,
			stdout, refreshed < 0 ? NULL : err) < 0)
		return -1;
	/* What is last known is shown all the same. */
	if (refreshed < 0)
		return err_wrap(err, "some states are the last known");
	ops_collect_in_passing(c);
	return 0;
}

const struct verb cmd_get = {
	.name = "get",
	.operands = "jobs [JOB...]",
	.summary = "list jobs",
	.details = "A JOB is job-7, 7, or the job's name (the newest with that name).",
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_min = 1,
	.operands_max = -1,
	.run = run,
};
