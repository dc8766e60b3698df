/* SPDX-License-Identifier: MIT */
/* berth get error: why jobs failed. */
#include <stdio.h>

#include "controller/cmd/cmd.h"
#include "controller/cmd/get.h"
#include "controller/ops/failures.h"
#include "controller/ops/gc.h"
#include "controller/ops/jobs.h"
#include "controller/output/failures.h"
#include "init/base/text.h"

#define LINES 10

static int parse_lines(const char *text, uint64_t *ret, struct err *err)
{
	*ret = LINES;
	if (text && !text_parse_uint(text, OPS_FAILURE_LINES_MAX, ret))
		return err_set(err, ERR_INVALID,
			       "--tail: '%.40s' is not a number of lines up to %d", text,
			       OPS_FAILURE_LINES_MAX);
	return 0;
}

/* Jobs that were named and did not fail: nothing is shown of them, and that must not surprise. */
static void tell_of_others(const struct job_list *jobs, const struct failure_list *failures)
{
	for (size_t i = 0; i < jobs->len; i++) {
		char label[JOB_LABEL_SIZE];
		bool has_failed = false;

		for (size_t n = 0; n < failures->len; n++)
			has_failed |= failures->items[n].job.id == jobs->items[i].id;
		job_label(&jobs->items[i], label);
		if (!has_failed)
			fprintf(stderr, "berth: %s has not failed: it is %s\n", label,
				job_state_word(jobs->items[i].state));
	}
}

int get_error(const struct get_args *args, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	cleanup(failure_list_finish) struct failure_list failures = { 0 };
	struct filter filter;
	const struct selection selection = { argv, (size_t)argc, args->all, &filter,
					     !args->refresh };
	struct output output;
	uint64_t lines;
	int result;

	if (args->group_by || args->backend || args->sort_by || args->limit)
		return err_set(err, ERR_INVALID,
			       "errors are shown in the order of jobs: only names and filters of "
			       "jobs, --tail, --output, --no-headers and --watch go with them");
	if (parse_lines(args->tail, &lines, err) < 0 || get_output(args, &output, err) < 0 ||
	    filter_parse(&args->filter, &filter, err) < 0 || controller_open(&c, err) < 0)
		return -1;
	result = ops_select(c, &selection, &jobs, err);
	if (result < 0 ||
	    ops_list_failures(c, &jobs, lines, &failures, result > 0 ? NULL : err) < 0 ||
	    output_failures(&failures, &output, result > 0 ? NULL : err) < 0)
		return -1;
	if (argc > 0)
		tell_of_others(&jobs, &failures);
	if (result > 0)
		return err_wrap(err, "some states are the last known");
	ops_collect_in_passing(c);
	return 0;
}
