/* SPDX-License-Identifier: MIT */
/* berth get job-runs: tasks of arrays, and attempts. */
#include "controller/cmd/cmd.h"
#include "controller/cmd/get.h"
#include "controller/ops/jobs.h"
#include "controller/ops/runs.h"
#include "controller/output/runs.h"

/* The runs of all jobs of the list. */
struct chosen {
	struct job_list jobs;
	struct run_list *runs;
	struct runs_of_job *shown;
};

static void chosen_finish(struct chosen *chosen)
{
	for (size_t i = 0; chosen->runs && i < chosen->jobs.len; i++)
		run_list_finish(&chosen->runs[i]);
	free(chosen->runs);
	free(chosen->shown);
	job_list_finish(&chosen->jobs);
}
DEFINE_CLEANUP_VALUE(struct chosen, chosen_finish)

static int list(struct controller *c, const struct get_args *args, int argc, char **argv,
		struct chosen *ret, struct err *err)
{
	struct filter filter;
	const struct selection selection = { .jobs = argv,
					     .len = (size_t)argc,
					     .all = args->all,
					     .filter = &filter,
					     .may_be_aged = !args->refresh,
					     .is_to_show = true };
	int result;

	if (filter_parse(&args->filter, &filter, err) < 0)
		return -1;
	result = ops_select(c, &selection, &ret->jobs, err);
	if (result < 0)
		return -1;
	ret->runs = new_array(struct run_list, ret->jobs.len);
	ret->shown = new_array(struct runs_of_job, ret->jobs.len);
	for (size_t i = 0; i < ret->jobs.len; i++) {
		ret->shown[i] = (struct runs_of_job){ &ret->jobs.items[i], &ret->runs[i] };
		if (ops_list_runs(c, &ret->jobs.items[i], &ret->runs[i], result > 0 ? NULL : err) <
		    0)
			return -1;
	}
	return result;
}

int get_runs(const struct get_args *args, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(chosen_finish) struct chosen chosen = { 0 };
	struct output output;
	int result;

	if (args->group_by || args->backend || args->sort_by || args->limit)
		return err_set(
			err, ERR_INVALID,
			"job-runs are listed in their order: only names and filters of jobs, "
			"--output, --no-headers and --watch go with them");
	if (get_output(args, &output, err) < 0 || controller_open(&c, err) < 0)
		return -1;
	result = list(c, args, argc, argv, &chosen, err);
	if (result < 0 ||
	    output_runs(chosen.shown, chosen.jobs.len, &output, result > 0 ? NULL : err) < 0)
		return -1;
	return result > 0 ? err_wrap(err, "some states are the last known") : 0;
}
