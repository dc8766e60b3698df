/* SPDX-License-Identifier: MIT */
/* Finding jobs and learning how they are; see jobs.h. */
#include "jobs.h"

#include <inttypes.h>
#include <string.h>

#include "controller/ops/internal.h"

#define RECENT_NS (86400 * NSEC_PER_SEC)
#define POLL_AT_ONCE_MS 50
#define POLL_REQUEST_MS 1000

int ops_find(struct controller *c, const struct ref *ref, struct job *ret, struct err *err)
{
	if (ref->id)
		return store_find_by_id(c->store, ref->id, ret, err);
	return store_find_by_name(c->store, ref->name, ret, err);
}

int ops_find_text(struct controller *c, const char *text, struct job *ret, struct err *err)
{
	struct ref ref;

	if (ref_parse(text, &ref, err) < 0)
		return -1;
	return ops_find(c, &ref, ret, err);
}

int ops_list(struct controller *c, bool all, struct job_list *ret, struct err *err)
{
	return store_list(c->store, all ? STORE_ALL : STORE_SINCE, controller_now_ns() - RECENT_NS,
			  ret, err);
}

/* What a backend tells about the place of a job; what it does not tell stays as it was. */
static void apply_place(struct job *job, const struct observation *seen)
{
	if (seen->queue[0] != '\0')
		job_set_text(&job->queue, seen->queue);
	if (seen->node_list[0] != '\0')
		job_set_text(&job->node_list, seen->node_list);
	if (seen->attempts)
		job->attempts = seen->attempts;
}

static void apply(struct job *job, const struct observation *seen)
{
	/* What a backend cannot tell any more does not erase what it told before. */
	job->state = seen->state;
	if (seen->native_state[0] != '\0')
		job_set_text(&job->native_state, seen->native_state);
	job_set_text(&job->reason, seen->reason);
	job->exit_code = seen->exit_code;
	job->signal = seen->signal;
	/* One that waits again, waits for another start. */
	if (seen->started_ns || seen->state == JOB_QUEUED)
		job->started_ns = seen->started_ns;
	if (seen->ended_ns)
		job->ended_ns = seen->ended_ns;
	else if (job_state_is_ended(seen->state))
		job->ended_ns = controller_now_ns();
	job->seen_ns = controller_now_ns();
	apply_place(job, seen);
}

/* Whether there is news worth a write: being seen alone is not. */
static bool is_news(const struct job *job, const struct observation *seen)
{
	return job->state != seen->state || strcmp(job->reason, seen->reason) != 0 ||
	       (seen->native_state[0] && strcmp(job->native_state, seen->native_state) != 0) ||
	       (seen->started_ns && job->started_ns != seen->started_ns) ||
	       job->exit_code != seen->exit_code ||
	       (seen->queue[0] && strcmp(job->queue, seen->queue) != 0) ||
	       (seen->node_list[0] && strcmp(job->node_list, seen->node_list) != 0) ||
	       (seen->attempts && job->attempts != seen->attempts);
}

static int record(struct controller *c, struct job *job, const struct observation *seen,
		  struct err *err)
{
	if (!is_news(job, seen))
		return 0;
	apply(job, seen);
	if (store_update_job(c->store, job, err) < 0)
		return -1;
	if (!job_state_is_ended(job->state))
		return 0;
	return leftovers_release(c, job, err);
}

/*
 * A job that was cancelled by another process since this record was read is told from one that
 * failed by the mark of who cancelled it, which is made before the job is touched.
 */
static int look_again(struct controller *c, struct backend *backend, struct job *job,
		      struct observation *seen, struct err *err)
{
	cleanup(job_finish) struct job stored = { 0 };
	const struct job *one = job;

	if (seen->state != JOB_FAILED || job->cancel_requested ||
	    store_find_by_id(c->store, job->id, &stored, NULL) < 0 || !stored.cancel_requested)
		return 0;
	job->cancel_requested = true;
	return backend_observe(backend, &one, 1, seen, err);
}

static bool wants_observing(const struct job *job)
{
	return job->state != JOB_DEFINED && !job_state_is_ended(job->state);
}

/* All jobs of one cluster in the list, in one request. */
static int refresh_cluster(struct controller *c, const char *name, struct job_list *jobs,
			   struct err *err)
{
	cleanup_free struct observation *seen = new_array(struct observation, jobs->len);
	cleanup_free const struct job **asked = new_array(const struct job *, jobs->len);
	cleanup_free size_t *index = new_array(size_t, jobs->len);
	struct backend *backend;
	size_t len = 0;

	if (controller_backend(c, name, &backend, err) < 0)
		return -1;
	for (size_t i = 0; i < jobs->len; i++) {
		if (!wants_observing(&jobs->items[i]) || strcmp(jobs->items[i].cluster, name) != 0)
			continue;
		index[len] = i;
		asked[len++] = &jobs->items[i];
	}
	if (backend_observe(backend, asked, len, seen, err) < 0)
		return -1;
	for (size_t i = 0; i < len; i++) {
		struct job *job = &jobs->items[index[i]];

		if (look_again(c, backend, job, &seen[i], err) < 0 ||
		    record(c, job, &seen[i], err) < 0)
			return -1;
	}
	return 0;
}

/* Whether the jobs before this one have one of its cluster: then that was asked already. */
static bool is_first_of_cluster(const struct job_list *jobs, size_t at)
{
	if (!wants_observing(&jobs->items[at]))
		return false;
	for (size_t i = 0; i < at; i++) {
		if (wants_observing(&jobs->items[i]) &&
		    strcmp(jobs->items[i].cluster, jobs->items[at].cluster) == 0)
			return false;
	}
	return true;
}

int ops_refresh(struct controller *c, struct job_list *jobs, struct err *err)
{
	const char *names[CONTROLLER_CLUSTERS_MAX];
	size_t len = 0;
	int result = 0;

	/* Which clusters is found out first: refreshing changes what the test looks at. */
	for (size_t i = 0; i < jobs->len && len < CONTROLLER_CLUSTERS_MAX; i++) {
		if (is_first_of_cluster(jobs, i))
			names[len++] = jobs->items[i].cluster;
	}
	for (size_t i = 0; i < len; i++) {
		if (refresh_cluster(c, names[i], jobs, result == 0 ? err : NULL) < 0)
			result = -1;
	}
	return result;
}

int ops_refresh_job(struct controller *c, struct job *job, struct err *err)
{
	struct job_list one = { .items = job, .len = 1 };

	return ops_refresh(c, &one, err);
}

static int find_selected(struct controller *c, const struct selection *selection,
			 struct job_list *ret, struct err *err)
{
	if (selection->len == 0)
		return ops_list(c, selection->all, ret, err);
	for (size_t i = 0; i < selection->len; i++) {
		cleanup(job_finish) struct job job = { 0 };

		if (ops_find_text(c, selection->jobs[i], &job, err) < 0)
			return -1;
		job_list_take(ret, &job);
	}
	return 0;
}

int ops_select(struct controller *c, const struct selection *selection, struct job_list *ret,
	       struct err *err)
{
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	int refreshed;

	if (find_selected(c, selection, &jobs, err) < 0)
		return -1;
	refreshed = ops_refresh(c, &jobs, err);
	if (selection->filter)
		filter_apply(selection->filter, controller_now_ns(), &jobs);
	*ret = jobs;
	jobs = (struct job_list){ 0 };
	return refreshed < 0 ? 1 : 0;
}

int ops_read_log(struct controller *c, const struct job *job, bool stderr_log, uint64_t offset,
		 size_t max, struct buf *ret, struct err *err)
{
	struct backend *backend;

	if (job->collected)
		return err_set(err, ERR_NOT_FOUND,
			       "job-%" PRIu64 ": what it printed has been collected", job->id);
	if (controller_backend(c, job->cluster, &backend, err) < 0)
		return -1;
	return backend_read_log(backend, job, stderr_log ? BACKEND_STDERR : BACKEND_STDOUT, offset,
				max, ret, err);
}

unsigned int ops_poll_interval_ms(struct controller *c, const struct job *job)
{
	struct backend *backend;

	if (controller_backend(c, job->cluster, &backend, NULL) == 0 &&
	    backend_observes_at_once(backend))
		return POLL_AT_ONCE_MS;
	return POLL_REQUEST_MS;
}
