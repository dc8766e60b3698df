/* SPDX-License-Identifier: MIT */
/* berth get jobs: lists jobs, once or as they change. */
#include <inttypes.h>
#include <string.h>

#include "controller/cmd/cmd.h"
#include "controller/cmd/get.h"
#include "controller/model/job_sort.h"
#include "controller/ops/gc.h"
#include "controller/ops/jobs.h"
#include "controller/output/jobs.h"
#include "init/base/buf.h"

#define FINGERPRINT_MAX (64 * 1024 * 1024)

/* Leaves so many jobs: the last ones (the newest), or the first of an order that was asked for. */
static void cut(struct job_list *jobs, uint64_t limit, bool is_sorted)
{
	size_t dropped = jobs->len - MIN(limit, jobs->len);

	if (limit == 0)
		return;
	for (size_t i = 0; i < dropped; i++)
		job_finish(&jobs->items[is_sorted ? limit + i : i]);
	if (!is_sorted && dropped > 0)
		memmove(jobs->items, jobs->items + dropped,
			(jobs->len - dropped) * sizeof(*jobs->items));
	jobs->len -= dropped;
}

/* As ops_select(): 1 when states are the last known, and *err says why. */
static int list(struct controller *c, const struct get_args *args, int argc, char **argv,
		struct job_list *ret, struct err *err)
{
	cleanup(job_list_finish) struct job_list jobs = { 0 };
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
	result = ops_select(c, &selection, &jobs, err);
	if (result < 0 || (args->sort_by && job_list_sort(&jobs, args->sort_by, err) < 0))
		return -1;
	cut(&jobs, args->limit, args->sort_by);
	*ret = jobs;
	jobs = (struct job_list){ 0 };
	return result;
}

static bool take_fingerprint(const struct job_list *jobs, struct buf *ret)
{
	bool ok = true;

	buf_clear(ret);
	for (size_t i = 0; i < jobs->len && ok; i++) {
		const struct job *job = &jobs->items[i];

		ok = buf_printf(ret, "%" PRIu64 " %d %s %s %" PRIu64 "\n", job->id, (int)job->state,
				job->native_state, job->reason, job->attempts);
	}
	return ok;
}

/*
 * On a terminal the list is drawn anew, with its ages; elsewhere it is printed again when a job
 * has changed. Ends by a signal, or when it cannot be written any more.
 */
static int watch(struct controller *c, const struct get_args *args, int argc, char **argv,
		 struct err *err)
{
	cleanup(buf_finish) struct buf before = BUF_INIT(FINGERPRINT_MAX);
	cleanup(buf_finish) struct buf now = BUF_INIT(FINGERPRINT_MAX);
	bool first = true;

	for (;; first = false) {
		cleanup(job_list_finish) struct job_list jobs = { 0 };
		struct output output;
		struct buf last;

		if (get_output(args, &output, err) < 0 || list(c, args, argc, argv, &jobs, err) < 0)
			return -1;
		if (!take_fingerprint(&jobs, &now))
			return err_set(err, ERR_LIMIT, "too many jobs to watch: choose some");
		if (output.width > 0)
			fputs(GET_CLEAR_SCREEN, output.out);
		if ((output.width > 0 || first || strcmp(buf_str(&before), buf_str(&now)) != 0) &&
		    output_jobs(&jobs, &output, err) < 0)
			return -1;
		last = before;
		before = now;
		now = last;
		ops_await(c, &jobs, GET_LOOK_AGAIN_MS);
	}
}

int get_jobs(const struct get_args *args, int argc, char **argv, struct err *err)
{
	cleanup(controller_close) struct controller *c = NULL;
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	struct output output;
	int result;

	if (args->group_by || args->backend)
		return err_set(err, ERR_INVALID,
			       "jobs are listed one by one and of all backends: take "
			       "job-counts for --group-by");
	if (get_output(args, &output, err) < 0 || controller_open(&c, err) < 0)
		return -1;
	if (args->watch)
		return watch(c, args, argc, argv, err);
	result = list(c, args, argc, argv, &jobs, err);
	if (result < 0 || output_jobs(&jobs, &output, result > 0 ? NULL : err) < 0)
		return -1;
	/* What is last known is shown all the same. */
	if (result > 0)
		return err_wrap(err, "some states are the last known");
	ops_collect_in_passing(c);
	return 0;
}
