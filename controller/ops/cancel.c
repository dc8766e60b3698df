/* SPDX-License-Identifier: MIT */
/* Ending jobs; see jobs.h. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "controller/ops/adopt.h"
#include "controller/ops/batch.h"
#include "controller/ops/jobs.h"

#define POLL_MS 20

static bool is_over(const struct job *job)
{
	return job_state_is_ended(job->state);
}

/*
 * The intention is recorded first: a job that ends now was cancelled. A container that berth did
 * not start is let go, and its record has ended with that.
 */
static int prepare(struct controller *c, struct job *job, struct err *err)
{
	if (job->native_id[0] == '\0')
		return err_set(err, ERR_NOT_FOUND,
			       "job-%" PRIu64 " was never handed to %s: 'berth gc' clears it away",
			       job->id, job->backend);
	/* A task of an array is known by what Slurm says of it: the rest of the job goes on. */
	if (job->only[0] == '\0' && store_mark_cancel_requested(c->store, job->id, err) < 0)
		return -1;
	job->cancel_requested = true;
	return job_is_adopted(job) ? ops_abandon(c, job, err) : 0;
}

static bool is_to_end(const struct job *job)
{
	return !is_over(job) && job->cancel_requested && job->native_id[0] != '\0';
}

static int ask(struct backend *backend, const void *arg, const struct job *const *jobs, size_t len,
	       struct err *err)
{
	(void)arg;
	return backend_cancel(backend, jobs, len, err);
}

static bool must_wait(struct controller *c, const struct job *job)
{
	struct backend *backend;

	return !is_over(job) && job->cancel_requested &&
	       controller_backend(c, job->cluster, &backend, NULL) == 0 &&
	       backend_can_kill(backend);
}

static void wait_for_end(struct controller *c, struct job_list *jobs, unsigned int patience_ms)
{
	for (unsigned int waited = 0; waited < patience_ms; waited += POLL_MS) {
		bool waiting = false;

		for (size_t i = 0; i < jobs->len; i++) {
			struct job *job = &jobs->items[i];

			/* A failed look is no reason to stop waiting. */
			if (must_wait(c, job) &&
			    (ops_refresh_job(c, job, NULL) < 0 || !is_over(job)))
				waiting = true;
		}
		if (!waiting)
			return;
		nanosleep(&(struct timespec){ .tv_nsec = POLL_MS * 1000000L }, NULL);
	}
}

static int insist(struct controller *c, struct job *job, struct err *err)
{
	struct backend *backend;

	if (controller_backend(c, job->cluster, &backend, err) < 0 ||
	    backend_kill(backend, job, err) < 0)
		return err_wrap(err, "cannot cancel job-%" PRIu64, job->id);
	return 0;
}

int ops_cancel(struct controller *c, struct job_list *jobs, unsigned int patience_ms,
	       struct err *err)
{
	const struct batch_plan plan = { .what = "cancel", .wants = is_to_end, .ask = ask };
	struct err why = { 0 };
	int result = 0;

	for (size_t i = 0; i < jobs->len; i++) {
		if (!is_over(&jobs->items[i]) &&
		    prepare(c, &jobs->items[i], result == 0 ? err : NULL) < 0)
			result = -1;
	}
	if (batch_ask(c, &plan, jobs, &why) < 0) {
		if (result == 0)
			err_set(err, why.kind, "%s", why.text);
		result = -1;
		/* What cannot be done is not waited for, nor insisted on. */
		if (why.kind == ERR_UNSUPPORTED)
			return -1;
	}
	wait_for_end(c, jobs, patience_ms);
	for (size_t i = 0; i < jobs->len; i++) {
		if (must_wait(c, &jobs->items[i]) &&
		    insist(c, &jobs->items[i], result == 0 ? err : NULL) < 0)
			result = -1;
	}
	wait_for_end(c, jobs, patience_ms);
	return result;
}
