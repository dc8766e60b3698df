/* SPDX-License-Identifier: MIT */
/* Acts on jobs; see act.h. */
#include "act.h"

#include <inttypes.h>
#include <signal.h>

#include "controller/backends/slurmrest/submit.h"
#include "init/base/indices.h"

#define FLAGS_SINCE 39
#define NEEDS_ENVIRONMENT 39

struct request {
	const char *method;
	const char *query; /* "?signal=10", or "" */
	const json_t *body;
	bool is_done_when_gone; /* a job that has ended is success */
	bool is_told_anyway;	/* slurmctld may say that it cannot, and has: see slurm/act.c */
};

static bool is_gone(const struct err *err)
{
	return err->kind == ERR_NOT_FOUND || strcasestr(err->text, "already completing") ||
	       strcasestr(err->text, "already finished");
}

static int send_to(struct slurmrest *rest, const struct request *request, const char *id,
		   struct err *err)
{
	cleanup_free char *path = str_printf("/job/%s%s", id, request->query);
	const struct slurmrest_call call = {
		.method = request->method, .path = path, .body = request->body, .may_repeat = true
	};
	cleanup(json_release) json_t *answer = NULL;
	struct err own;

	if (slurmrest_call(rest, &call, &answer, &own) == 0 ||
	    (request->is_done_when_gone && is_gone(&own)) ||
	    (request->is_told_anyway && strcasestr(own.text, "try again later")))
		return 0;
	return err_set(err, own.kind, "%s", own.text);
}

/*
 * From v0.0.39 on, until Slurm 24.11, a DELETE of 7_3 is one of 7, with all its tasks. (The release
 * is told with every answer; who has not heard any asks.)
 */
static int check_task(struct slurmrest *rest, const struct job *job, struct err *err)
{
	const struct slurmrest_call ping = { .method = "GET", .path = "/ping", .may_repeat = true };
	cleanup(json_release) json_t *answer = NULL;

	if (slurmrest_find_version(rest, err) < 0)
		return -1;
	if (rest->version < FLAGS_SINCE)
		return 0;
	if (!rest->release && slurmrest_call(rest, &ping, &answer, err) < 0)
		return -1;
	if (!rest->release || rest->release >= SLURMREST_TELLS_TASKS)
		return 0;
	return err_set(err, ERR_UNSUPPORTED,
		       "slurmrestd of Slurm %u.%02u would take a task for its whole array: say "
		       "job-%" PRIu64 " for all of it, or run scancel %s_%s there",
		       rest->release / 100, rest->release % 100, job->id, job->native_id,
		       job->only);
}

/* A call is about one job: tasks of an array are calls of their own. */
static int send_job(struct slurmrest *rest, const struct request *request, const struct job *job,
		    struct err *err)
{
	int result = 0;

	if (!job->only || !job->only[0])
		return send_to(rest, request, job->native_id, err);
	if (!request->body && check_task(rest, job, err) < 0)
		return -1;
	for (uint64_t task = 0; indices_next(job->only, task, &task); task++) {
		cleanup_free char *id = str_printf("%s_%" PRIu64, job->native_id, task);

		if (send_to(rest, request, id, result == 0 ? err : NULL) < 0)
			result = -1;
	}
	return result;
}

static int send_jobs(struct slurmrest *rest, const struct request *request,
		     const struct job *const *jobs, size_t len, struct err *err)
{
	int result = 0;

	for (size_t i = 0; i < len; i++) {
		char label[JOB_LABEL_SIZE];

		if (send_job(rest, request, jobs[i], result == 0 ? err : NULL) == 0)
			continue;
		job_label(jobs[i], label);
		if (result == 0)
			err_wrap(err, "%s", label);
		result = -1;
	}
	return result;
}

int slurmrest_cancel(struct backend *backend, const struct job *const *jobs, size_t len,
		     struct err *err)
{
	const struct request request = { .method = "DELETE",
					 .query = "",
					 .is_done_when_gone = true };

	return send_jobs(slurmrest_of(backend), &request, jobs, len, err);
}

static int send_signal(struct slurmrest *rest, int signal, const struct job *const *jobs,
		       size_t len, struct err *err)
{
	int result = 0;

	if (slurmrest_find_version(rest, err) < 0)
		return -1;
	for (size_t i = 0; i < len; i++) {
		bool has_steps = jobs[i]->tasks > 1;
		cleanup_free char *query = str_printf(
			"?signal=%d%s", signal,
			!has_steps && rest->version >= FLAGS_SINCE ? "&flags=BATCH_JOB" : "");
		const struct request request = { .method = "DELETE",
						 .query = query,
						 .is_told_anyway = job_is_array(jobs[i]) };

		if (send_jobs(rest, &request, &jobs[i], 1, result == 0 ? err : NULL) < 0)
			result = -1;
	}
	return result;
}

/*
 * v0.0.39 misses an environment in every description of a job, also in one that changes a job,
 * where slurmctld does not look at it.
 */
static void add_environment(const struct slurmrest *rest, json_t *body)
{
	if (rest->version == NEEDS_ENVIRONMENT)
		json_object_set_new(body, "environment", json_pack("[s]", "PATH=/usr/bin:/bin"));
}

static int make_body(struct slurmrest *rest, const struct act *act, json_t **ret, struct err *err)
{
	if (slurmrest_find_version(rest, err) < 0)
		return -1;
	if (act->kind != ACT_UPDATE)
		*ret = json_pack("{sb}", "hold", act->kind == ACT_HOLD);
	else if (slurmrest_make_change(&act->change, rest->version, ret, err) < 0)
		return -1;
	add_environment(rest, *ret);
	return 0;
}

int slurmrest_act(struct backend *backend, const struct act *act, const struct job *const *jobs,
		  size_t len, struct err *err)
{
	struct slurmrest *rest = slurmrest_of(backend);
	cleanup(json_release) json_t *body = NULL;
	struct request request = { .method = "POST", .query = "" };

	if (act->kind == ACT_SIGNAL)
		return send_signal(rest, act->signal, jobs, len, err);
	if (make_body(rest, act, &body, err) < 0)
		return -1;
	request.body = body;
	return send_jobs(rest, &request, jobs, len, err);
}

int slurmrest_release(struct backend *backend, const struct job *job, struct err *err)
{
	return send_signal(slurmrest_of(backend), SIGURG, &job, 1, err);
}
