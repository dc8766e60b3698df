/* SPDX-License-Identifier: MIT */
/* Tasks and attempts; see runs.h. */
#include "runs.h"

#include "controller/backends/jobdir.h"
#include "controller/model/indices.h"
#include "controller/ops/internal.h"

/* The attempt that the record is about. */
static void add_newest(struct site *site, const struct job *job, struct run_list *runs)
{
	struct run left = { .reason = str_dup("") };
	struct run *run = run_list_add(runs, 0);

	run->attempt = job->attempts ? job->attempts : job->started_ns != 0;
	run->state = job->state;
	run->exit_code = job->exit_code;
	run->signal = job->signal;
	run->started_ns = job->started_ns;
	run->ended_ns = job->ended_ns;
	job_set_text(&run->native_state, job->native_state);
	job_set_text(&run->reason, job->reason);
	job_set_text(&run->node_list, job->node_list);
	if (jobdir_observe_run(site, job, &left)) {
		run->max_rss = left.max_rss;
		run->cpu_ns = left.cpu_ns;
	}
	run_finish(&left);
}

static void drop_others(struct run_list *runs, const char *only)
{
	size_t kept = 0;

	for (size_t i = 0; i < runs->len; i++) {
		struct run run = runs->items[i];

		if (indices_have(only, run.task))
			runs->items[kept++] = run;
		else
			run_finish(&run);
	}
	runs->len = kept;
}

int ops_list_runs(struct controller *c, const struct job *job, struct run_list *ret,
		  struct err *err)
{
	struct backend *backend;

	if (store_list_runs(c->store, job->id, false, ret, err) < 0 ||
	    controller_backend(c, job->cluster, &backend, err) < 0)
		return -1;
	if (!job_is_array(job))
		add_newest(backend_site(backend), job, ret);
	else if (job->only[0] != '\0')
		drop_others(ret, job->only);
	return 0;
}
