/* SPDX-License-Identifier: MIT */
/* Learning how jobs are, and keeping it; see jobs.h. */
#include <inttypes.h>
#include <string.h>

#include "init/base/indices.h"
#include "controller/ops/age.h"
#include "controller/ops/internal.h"
#include "controller/ops/jobs.h"
#include "controller/ops/place.h"
#include "controller/ops/rank.h"
#include "init/base/log.h"
#include "init/base/text.h"

/* What a backend tells about the place of a job; what it does not tell stays as it was. */
static void apply_place(struct job *job, const struct observation *seen)
{
	if (seen->queue[0] != '\0')
		job_set(job, queue, seen->queue);
	if (seen->node_list[0] != '\0')
		job_set(job, node_list, seen->node_list);
	if (seen->attempts)
		job->attempts = seen->attempts;
}

static void apply(struct job *job, const struct observation *seen)
{
	/* What a backend cannot tell any more does not erase what it told before. */
	job->state = seen->state;
	if (seen->native_state[0] != '\0')
		job_set(job, native_state, seen->native_state);
	job_set(job, reason, seen->reason);
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

/* An attempt that is over, since another was begun; how it ended is known to accounting alone. */
static int keep_attempt(struct controller *c, const struct job *job, uint64_t attempt,
			struct err *err)
{
	cleanup(run_list_finish) struct run_list runs = { 0 };
	struct run *run = run_list_add(&runs, 0);

	run->attempt = attempt;
	run->state = JOB_UNKNOWN;
	run->started_ns = job->started_ns;
	run->has_changed = true;
	run_set_text(&run->native_state, "REQUEUED");
	run_set_text(&run->node_list, job->node_list);
	return store_save_runs(c->store, job->id, &runs, err);
}

/* What was seen goes into the record; the caller has begun a transaction. */
static int record(struct controller *c, struct job *job, const struct observation *seen,
		  struct err *err)
{
	if (seen->runs && store_save_runs(c->store, job->id, seen->runs, err) < 0)
		return -1;
	if (!is_news(job, seen))
		return 0;
	if (!seen->runs && job->attempts && job->started_ns && seen->attempts &&
	    (seen->attempts > job->attempts || seen->state == JOB_QUEUED) &&
	    keep_attempt(c, job, seen->attempts - (seen->state != JOB_QUEUED), err) < 0)
		return -1;
	/* One that starts again listens somewhere else. */
	if (job->started_ns && job->started_ns != seen->started_ns &&
	    (seen->started_ns || seen->state == JOB_QUEUED))
		place_drop_endpoints(c, job);
	apply(job, seen);
	return store_update_job(c->store, job, err);
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

	if (seen->runs || seen->state != JOB_FAILED || job->cancel_requested ||
	    store_find_by_id(c->store, job->id, &stored, NULL) < 0 || !stored.cancel_requested)
		return 0;
	job->cancel_requested = true;
	return backend_observe(backend, &one, 1, seen, err);
}

/* The jobs of one backend that are asked about, and what comes back. */
struct inquiry {
	struct backend *backend;
	struct job **jobs;
	struct observation *seen;
	struct run_list *runs; /* one for each job, empty of those that are no array */
	size_t len;
};

static void inquiry_finish(struct inquiry *q)
{
	for (size_t i = 0; i < q->len; i++)
		run_list_finish(&q->runs[i]);
	free(q->jobs);
	free(q->seen);
	free(q->runs);
}
DEFINE_CLEANUP_VALUE(struct inquiry, inquiry_finish)

static int inquiry_add(struct controller *c, struct inquiry *q, struct job *job, struct err *err)
{
	struct run_list *runs = &q->runs[q->len];

	q->jobs[q->len++] = job;
	if (!job_is_array(job))
		return 0;
	q->seen[q->len - 1].runs = runs;
	if (store_list_runs(c->store, job->id, true, runs, err) < 0)
		return -1;
	if (runs->len == 0)
		run_list_init(runs, job);
	return 0;
}

static bool has_news(const struct inquiry *q)
{
	for (size_t i = 0; i < q->len; i++) {
		if (is_news(q->jobs[i], &q->seen[i]))
			return true;
		for (size_t n = 0; n < q->runs[i].len; n++) {
			if (q->runs[i].items[n].has_changed)
				return true;
		}
	}
	return false;
}

/* One transaction for all: ten thousand of them would take a second each time. */
static int inquiry_record(struct controller *c, struct inquiry *q, struct err *err)
{
	struct err own;
	int result = 0;

	if (!has_news(q))
		return 0;
	for (size_t i = 0; i < q->len; i++) {
		if (look_again(c, q->backend, q->jobs[i], &q->seen[i], err) < 0)
			return -1;
	}
	if (store_begin(c->store, err) < 0)
		return -1;
	for (size_t i = 0; i < q->len && result == 0; i++)
		result = record(c, q->jobs[i], &q->seen[i], err);
	/* What was written before a failure is true all the same. */
	if (store_commit(c->store, result == 0 ? err : NULL) < 0)
		return -1;
	for (size_t i = 0; i < q->len && result == 0; i++) {
		if (job_state_is_ended(q->jobs[i]->state))
			result = leftovers_release(c, q->jobs[i], err);
	}
	if (site_flush(backend_site(q->backend), &own) < 0)
		log_debug("%s", own.text); /* 'berth gc' does it again */
	return result;
}

/* All jobs of one cluster in the list, in one request. */
static int refresh_cluster(struct controller *c, const char *name, struct job_list *jobs,
			   struct err *err)
{
	cleanup(inquiry_finish) struct inquiry q = {
		.jobs = new_array(struct job *, jobs->len),
		.seen = new_array(struct observation, jobs->len),
		.runs = new_array(struct run_list, jobs->len),
	};

	if (controller_backend(c, name, &q.backend, err) < 0)
		return -1;
	for (size_t i = 0; i < jobs->len; i++) {
		if (job_wants_observing(&jobs->items[i]) &&
		    strcmp(jobs->items[i].cluster, name) == 0 &&
		    inquiry_add(c, &q, &jobs->items[i], err) < 0)
			return -1;
	}
	if (backend_observe(q.backend, (const struct job *const *)q.jobs, q.len, q.seen, err) < 0 ||
	    inquiry_record(c, &q, err) < 0)
		return -1;
	return age_mark(c, name, (const struct job *const *)q.jobs, q.len, true, err);
}

static bool is_among(const char *name, const char *const *names, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

static int refresh_whole(struct controller *c, struct job_list *jobs, bool may_be_aged,
			 struct err *err)
{
	const char *names[CONTROLLER_CLUSTERS_MAX];
	size_t len = 0;
	int result = 0;

	/* Which clusters is found out first: refreshing changes what the test looks at. */
	for (size_t i = 0; i < jobs->len && len < CONTROLLER_CLUSTERS_MAX; i++) {
		if (job_wants_observing(&jobs->items[i]) &&
		    !is_among(jobs->items[i].cluster, names, len))
			names[len++] = jobs->items[i].cluster;
	}
	for (size_t i = 0; i < len; i++) {
		if (may_be_aged && age_is_young(c, names[i], jobs))
			continue;
		if (refresh_cluster(c, names[i], jobs, result == 0 ? err : NULL) < 0)
			result = -1;
	}
	return result;
}

/* The record becomes what it would be if its tasks were all of the array. */
static void show_part(struct job *job, const struct run_list *runs)
{
	cleanup_free struct run *items = new_array(struct run, runs->len);
	struct run_list part = { .items = items }; /* borrows the strings */
	struct run_fold fold;

	for (size_t i = 0; i < runs->len; i++) {
		if (indices_have(job->only, runs->items[i].task))
			items[part.len++] = runs->items[i];
	}
	run_list_fold(&part, &fold);
	job->state = fold.state;
	job->exit_code = fold.exit_code;
	job->signal = fold.signal;
	job->started_ns = fold.started_ns;
	job->ended_ns = fold.ended_ns;
	job->attempts = fold.attempts;
	job_set(job, reason, fold.counts[0] || part.len == 0 ? fold.counts : items[0].reason);
	job_set(job, native_state, part.len > 0 ? items[0].native_state : "");
	job_set(job, node_list, part.len > 0 ? items[0].node_list : "");
}

/* The same for a rank of a job that is no array, before it is told from the others. */
static void show_whole(struct job *job, const struct job *whole)
{
	job->state = whole->state;
	job->exit_code = whole->exit_code;
	job->signal = whole->signal;
	job->started_ns = whole->started_ns;
	job->ended_ns = whole->ended_ns;
	job->attempts = whole->attempts;
	job->collected = whole->collected;
	job_set(job, reason, whole->reason);
	job_set(job, native_state, whole->native_state);
	job_set(job, node_list, whole->node_list);
	job_set(job, queue, whole->queue);
}

/* Tasks of arrays, and ranks: each job is asked about once, when its parts stand together. */
static int refresh_parts(struct controller *c, struct job_list *jobs, bool may_be_aged,
			 struct err *err)
{
	cleanup(job_finish) struct job whole = { 0 };
	cleanup(run_list_finish) struct run_list runs = { 0 };
	int result = 0;

	for (size_t i = 0; i < jobs->len; i++) {
		struct job *job = &jobs->items[i];

		if (job->only[0] == '\0' && !job->of_rank)
			continue;
		if (whole.id != job->id) {
			job_finish(&whole);
			run_list_finish(&runs);
			if (store_find_by_id(c->store, job->id, &whole, err) < 0)
				return -1;
			if (refresh_whole(c, &(struct job_list){ .items = &whole, .len = 1 },
					  may_be_aged, result == 0 ? err : NULL) < 0)
				result = -1;
			if (store_list_runs(c->store, job->id, true, &runs,
					    result == 0 ? err : NULL) < 0)
				return -1;
		}
		if (job->only[0] == '\0')
			show_whole(job, &whole);
		else if (runs.len > 0)
			show_part(job, &runs);
		if (job->of_rank)
			rank_show(c, job);
	}
	return result;
}

/* Of jobs that came in a file, nothing is heard; they end with what the file was good for. */
static int expire_imported(struct controller *c, struct job_list *jobs, struct err *err)
{
	uint64_t now = controller_now_ns();

	for (size_t i = 0; i < jobs->len; i++) {
		struct job *job = &jobs->items[i];

		if (!job_is_imported(job) || job_state_is_ended(job->state) ||
		    now < job->expires_ns)
			continue;
		job->state = JOB_TIMEOUT;
		job->ended_ns = job->expires_ns;
		job_set(job, reason, "what was imported has expired");
		if (store_update_job(c->store, job, err) < 0 || leftovers_release(c, job, err) < 0)
			return -1;
	}
	return 0;
}

static int refresh(struct controller *c, struct job_list *jobs, bool may_be_aged, struct err *err)
{
	int result = refresh_whole(c, jobs, may_be_aged, err);

	if (expire_imported(c, jobs, result == 0 ? err : NULL) < 0)
		result = -1;
	if (refresh_parts(c, jobs, may_be_aged, result == 0 ? err : NULL) < 0)
		result = -1;
	return result;
}

int ops_refresh(struct controller *c, struct job_list *jobs, struct err *err)
{
	return refresh(c, jobs, false, err);
}

int ops_refresh_patiently(struct controller *c, struct job_list *jobs, struct err *err)
{
	static bool is_told; /* of this silence */
	char line[ERR_TEXT_MAX + 64];
	struct err own;

	if (ops_refresh(c, jobs, &own) == 0) {
		is_told = false;
		return 0;
	}
	if (own.kind != ERR_UNAVAILABLE && own.kind != ERR_TIMEOUT)
		return err_set(err, own.kind, "%s", own.text);
	if (!is_told && controller_choice.say) {
		snprintf(line, sizeof(line), "%s (it is asked again)", own.text);
		text_make_printable(line);
		controller_choice.say(line);
	}
	is_told = true;
	return 0;
}

int ops_refresh_aged(struct controller *c, struct job_list *jobs, struct err *err)
{
	return refresh(c, jobs, true, err);
}

int ops_refresh_job(struct controller *c, struct job *job, struct err *err)
{
	struct job_list one = { .items = job, .len = 1 };

	return ops_refresh(c, &one, err);
}
