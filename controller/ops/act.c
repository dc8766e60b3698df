/* SPDX-License-Identifier: MIT */
/* Acting on jobs; see act.h. */
#include "act.h"

#include <inttypes.h>

#include "controller/backends/jobdir.h"
#include "controller/ops/batch.h"
#include "controller/ops/connect.h"
#include "controller/ops/jobs.h"
#include "init/base/indices.h"

#define BIT(state) (1U << JOB_##state)
#define WAITS BIT(QUEUED)
#define RUNS (BIT(STARTING) | BIT(RUNNING))

/* In which states it can be done to a job, and what to say of others. */
static const struct {
	unsigned int states;
	const char *otherwise;
} rules[] = {
	[ACT_SIGNAL] = { BIT(RUNNING), "only a job that runs can be sent a signal" },
	[ACT_HOLD] = { WAITS, "only a job that waits can be held" },
	[ACT_RELEASE] = { WAITS | RUNS, "only a job that is held can be released" },
	[ACT_REQUEUE] = { RUNS, "only a job that has started can be put back into the queue" },
	[ACT_UPDATE] = { WAITS | RUNS, "only a job that waits or runs can be changed" },
};

/* One that is kept after its command has ended: --hold of berth run. */
static bool is_kept(struct controller *c, const struct job *job)
{
	struct backend *backend;
	struct status status;

	if (controller_backend(c, job->cluster, &backend, NULL) < 0)
		return false;

	for (uint64_t rank = 0; job_next_rank(job, rank, &rank); rank++) {
		if (!job_means_rank(job, rank) ||
		    backend_fetch_status(backend, job, (unsigned int)rank, NULL) < 0)
			continue;
		if (jobdir_read_status(backend_site(backend), job->directory, (unsigned int)rank,
				       &status, NULL) == 1 &&
		    status.held)
			return true;
	}
	return false;
}

bool ops_act_fits(struct controller *c, const struct act *act, const struct job *job)
{
	if (!(rules[act->kind].states & (1U << job->state)))
		return false;
	return act->kind != ACT_RELEASE || job->state == JOB_QUEUED || is_kept(c, job);
}

static int refuse_release(const struct job *job, struct err *err)
{
	char label[JOB_LABEL_SIZE];

	job_label(job, label);
	return err_set(err, ERR_UNAVAILABLE, "%s is not held: its command has not ended", label);
}

static int check(struct controller *c, const struct act *act, const struct job *job,
		 struct err *err)
{
	bool ends_hold = act->kind == ACT_RELEASE && job->state != JOB_QUEUED;
	struct backend *backend;
	char label[JOB_LABEL_SIZE];

	if (ops_check_not_ended(job, err) < 0 ||
	    controller_backend(c, job->cluster, &backend, err) < 0)
		return -1;
	if (!ends_hold && backend_check_act(backend, act->kind, err) < 0)
		return err_wrap(err, "cannot %s job-%" PRIu64, act_word(act->kind), job->id);
	if (act->kind == ACT_RELEASE)
		return ops_act_fits(c, act, job) ? 0 : refuse_release(job, err);
	if (ops_act_fits(c, act, job))
		return 0;
	job_label(job, label);
	return err_set(err, ERR_UNAVAILABLE, "%s is %s: %s", label, job_state_word(job->state),
		       rules[act->kind].otherwise);
}

/* Of an array, a signal is for those tasks that run. */
static int choose_running(struct controller *c, struct job *job, struct err *err)
{
	cleanup(run_list_finish) struct run_list runs = { 0 };
	cleanup(buf_finish) struct buf only = BUF_INIT(INDICES_TEXT_MAX);

	if (!job_is_array(job))
		return 0;
	if (store_list_runs(c->store, job->id, true, &runs, err) < 0)
		return -1;
	for (size_t i = 0; i < runs.len; i++) {
		const struct run *run = &runs.items[i];

		if (run->state != JOB_RUNNING ||
		    !job_means_rank(job, job_first_rank(job, run->task)))
			continue;
		if (!buf_printf(&only, "%s%" PRIu64, buf_len(&only) ? "," : "", run->task))
			return err_set(err, ERR_LIMIT,
				       "job-%" PRIu64 ": too many tasks at once: name some of them",
				       job->id);
	}
	if (buf_len(&only) > 0)
		job_set(job, only, buf_str(&only));
	return 0;
}

static bool is_any(const struct job *job)
{
	return !job_state_is_ended(job->state);
}

static bool is_waiting(const struct job *job)
{
	return job->state == JOB_QUEUED;
}

static int ask(struct backend *backend, const void *act, const struct job *const *jobs, size_t len,
	       struct err *err)
{
	return backend_act(backend, act, jobs, len, err);
}

static int end_holds(struct controller *c, const struct job_list *jobs, struct err *err)
{
	int result = 0;

	for (size_t i = 0; i < jobs->len; i++) {
		struct job *job = &jobs->items[i];
		struct err *own = result == 0 ? err : NULL;
		struct backend *backend;

		if (is_waiting(job))
			continue;
		if (choose_running(c, job, own) < 0 ||
		    controller_backend(c, job->cluster, &backend, own) < 0 ||
		    backend_release(backend, job, own) < 0)
			result = err_wrap(own, "cannot release job-%" PRIu64, job->id);
	}
	return result;
}

int ops_act(struct controller *c, const struct act *act, const struct job_list *jobs,
	    struct err *err)
{
	const struct batch_plan plan = {
		.what = act_word(act->kind),
		.wants = act->kind == ACT_RELEASE ? is_waiting : is_any,
		.ask = ask,
		.arg = act,
	};
	int result;

	if (act_check(act, err) < 0)
		return -1;
	for (size_t i = 0; i < jobs->len; i++) {
		if (check(c, act, &jobs->items[i], err) < 0 ||
		    (act->kind == ACT_SIGNAL && choose_running(c, &jobs->items[i], err) < 0))
			return -1;
	}
	result = batch_ask(c, &plan, jobs, err);
	if (act->kind == ACT_RELEASE && end_holds(c, jobs, result == 0 ? err : NULL) < 0)
		result = -1;
	return result;
}
