/* SPDX-License-Identifier: MIT */
/* berth get job-counts: how many jobs there are of each kind. */
#include "controller/cmd/cmd.h"
#include "controller/cmd/get.h"
#include "controller/model/job_count.h"
#include "controller/ops/gc.h"
#include "controller/ops/jobs.h"
#include "controller/output/counts.h"

int get_counts(const struct get_args *args, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	cleanup(job_counts_finish) struct job_counts counts = { 0 };
	struct filter filter;
	struct selection selection = { argv, (size_t)argc, args->all, &filter, !args->refresh };
	struct output output;
	int result;

	if (args->sort_by || args->limit)
		return err_set(err, ERR_INVALID, "job-counts takes neither --sort-by nor --limit");
	if (get_output(args, &output, err) < 0 || filter_parse(&args->filter, &filter, err) < 0 ||
	    job_counts_init(&counts, args->group_by ? args->group_by : "state", err) < 0 ||
	    controller_open(&c, err) < 0)
		return -1;
	result = ops_select(c, &selection, &jobs, err);
	if (result < 0)
		return -1;
	for (size_t i = 0; i < jobs.len; i++)
		job_counts_add(&counts, &jobs.items[i]);
	if (output_counts(&counts, &output, result > 0 ? NULL : err) < 0)
		return -1;
	if (result > 0)
		return err_wrap(err, "some states are the last known");
	ops_collect_in_passing(c);
	return 0;
}
