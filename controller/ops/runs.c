/* SPDX-License-Identifier: MIT */
/* Tasks and attempts; see runs.h. */
#include "runs.h"

#include <stdlib.h>

#include "controller/backends/jobdir.h"
#include "init/base/indices.h"
#include "controller/ops/internal.h"
#include "controller/ops/rank.h"
#include "init/base/log.h"

/* What several ranks left comes in one question. */
static void fetch_status(struct site *site, const struct job *job)
{
	const char *directory = job->directory;
	struct err why;

	if (job->tasks <= 1)
		return;
	site_forget(site);
	if (site_prefetch(site, &directory, 1, "status.", &why) < 0)
		log_debug("%s", why.text);
}

/* The attempt that the record is about. */
static void add_newest(struct site *site, const struct job *job, struct run_list *runs)
{
	struct run left = { .reason = str_dup("") };
	struct run *run = run_list_add(runs, 0);

	run_of_record(job, run);
	fetch_status(site, job);
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

static struct run *find(const struct run_list *runs, uint64_t task, uint64_t attempt)
{
	for (size_t i = 0; i < runs->len; i++) {
		if (runs->items[i].task == task && runs->items[i].attempt == attempt)
			return &runs->items[i];
	}
	return NULL;
}

/* What was seen while it happened is kept; accounting adds what nobody saw. */
static void add_accounts(struct run_list *runs, const struct run_list *accounts)
{
	for (size_t i = 0; i < accounts->len; i++) {
		const struct run *kept = &accounts->items[i];
		struct run *run = find(runs, kept->task, kept->attempt);

		if (kept->state == JOB_QUEUED)
			continue; /* it is no attempt yet */
		if (!run) {
			run = run_list_add(runs, kept->task);
			run->attempt = kept->attempt;
			run->state = JOB_UNKNOWN;
		}
		run->max_rss = MAX(run->max_rss, kept->max_rss);
		run->cpu_ns = MAX(run->cpu_ns, kept->cpu_ns);
		if (run->state != JOB_UNKNOWN)
			continue;
		run->state = kept->state;
		run->exit_code = kept->exit_code;
		run->signal = kept->signal;
		run->started_ns = kept->started_ns;
		run->ended_ns = kept->ended_ns;
		run_set_text(&run->native_state, kept->native_state);
		run_set_text(&run->reason, kept->reason);
		run_set_text(&run->node_list, kept->node_list);
	}
}

static int compare(const void *a, const void *b)
{
	const struct run *left = a, *right = b;

	if (left->task != right->task)
		return left->task < right->task ? -1 : 1;
	return left->attempt < right->attempt ? -1 : left->attempt > right->attempt;
}

int ops_stat_by_scheduler(struct controller *c, const struct job *job, struct use *ret,
			  struct err *err)
{
	struct backend *backend;

	if (controller_backend(c, job->cluster, &backend, err) < 0)
		return -1;
	return backend_stat(backend, job, ret, err);
}

int ops_list_runs(struct controller *c, const struct job *job, struct run_list *ret,
		  struct err *err)
{
	cleanup(run_list_finish) struct run_list accounts = { 0 };
	struct backend *backend;
	struct err why;

	if (job->of_rank) {
		rank_add_run(c, job, ret);
		return 0;
	}
	if (store_list_runs(c->store, job->id, false, ret, err) < 0 ||
	    controller_backend(c, job->cluster, &backend, err) < 0)
		return -1;
	if (!job_is_array(job))
		add_newest(backend_site(backend), job, ret);
	if (job->native_id[0] != '\0' && backend_list_runs(backend, job, &accounts, &why) == 0)
		add_accounts(ret, &accounts);
	qsort(ret->items, ret->len, sizeof(*ret->items), compare);
	if (job->only[0] != '\0')
		drop_others(ret, job->only);
	return 0;
}
