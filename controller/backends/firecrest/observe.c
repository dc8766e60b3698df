/* SPDX-License-Identifier: MIT */
/* How jobs are; see observe.h. */
#include "observe.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "controller/backends/firecrest/read.h"
#include "controller/backends/firecrest/site.h"
#include "controller/backends/firecrest/submit.h"
#include "controller/backends/jobdir.h"
#include "controller/backends/slurm/index.h"
#include "init/base/indices.h"
#include "init/base/log.h"
#include "init/base/text.h"

/* Asked for by their ids at a time; the others are found the next time. */
#define SINGLY_MAX 16

static void take_jobs(const json_t *answer, struct slurm_index *index)
{
	cleanup_free struct firecrest_job *job = new_zero(struct firecrest_job);
	const json_t *json;
	size_t i;

	json_array_foreach(json_object_get(answer, "jobs"), i, json) {
		if (firecrest_read_job(json, job))
			slurm_index_take(index, job->id, job->tasks[0] ? job->tasks : NULL,
					 &job->seen);
	}
}

static int ask_list(struct firecrest *fc, json_t **ret, struct err *err)
{
	const struct firecrest_request request = { .path = "/compute/{system}/jobs" };

	return firecrest_call(fc, &request, ret, err);
}

/* A job that is forgotten is no failure. */
static int ask_singly(struct firecrest *fc, struct slurm_index *index, struct err *err)
{
	struct firecrest_request requests[SINGLY_MAX];
	json_t *answers[SINGLY_MAX];
	char *paths[SINGLY_MAX];
	cleanup_free struct err *errs = new_array(struct err, SINGLY_MAX);
	size_t len = 0;
	int result = 0;

	for (size_t i = 0; i < index->len && len < SINGLY_MAX; i++) {
		if (slurm_is_known(&index->seen[i]))
			continue;
		paths[len] = str_printf("/compute/{system}/jobs/%s", index->jobs[i]->native_id);
		requests[len] = (struct firecrest_request){ .path = paths[len] };
		len++;
	}
	if (firecrest_call_many(fc, requests, len, answers, errs) < 0)
		log_debug("firecrest: not all jobs are known");
	for (size_t i = 0; i < len; i++) {
		if (answers[i])
			take_jobs(answers[i], index);
		else if (errs[i].kind != ERR_NOT_FOUND && result == 0)
			result = err_set(err, errs[i].kind, "%s", errs[i].text);
		json_decref(answers[i]);
		free(paths[i]);
	}
	return result;
}

/* By what it left itself, which is exact. */
static bool has_succeeded(struct site *site, const struct job *job)
{
	struct observation left = { .state = JOB_UNKNOWN };

	jobdir_observe(site, job, &left);
	return left.state == JOB_SUCCEEDED;
}

/* PBS tells of a job that qdel ended the signal alone, or that it ended well. */
static void tell_cancelled(struct site *site, const struct job *const *jobs, size_t len,
			   struct observation *seen)
{
	for (size_t i = 0; i < len; i++) {
		bool is_killed = seen[i].state == JOB_FAILED &&
				 (seen[i].signal == SIGTERM || seen[i].signal == SIGKILL ||
				  seen[i].exit_code == 128 + SIGTERM);

		if (!jobs[i]->cancel_requested)
			continue;
		if (is_killed ||
		    (seen[i].state == JOB_SUCCEEDED && !has_succeeded(site, jobs[i]))) {
			seen[i].state = JOB_CANCELLED;
			seen[i].exit_code = is_killed ? seen[i].exit_code : JOB_NO_EXIT_CODE;
		}
	}
}

int firecrest_observe(struct backend *backend, const struct job *const *jobs, size_t len,
		      struct observation *ret, struct err *err)
{
	cleanup(slurm_index_finish) struct slurm_index index = { 0 };
	struct firecrest *fc = site_firecrest_client(backend->site);
	cleanup(json_release) json_t *answer = NULL;

	slurm_index_init(&index, jobs, len, ret);
	index.is_dear = true;
	if (len > 1 && ask_list(fc, &answer, err) < 0)
		return -1;
	take_jobs(answer, &index);
	if (ask_singly(fc, &index, err) < 0)
		return -1;
	slurm_index_add_status(&index, backend->site);
	if (firecrest_is_pbs(fc))
		tell_cancelled(backend->site, jobs, len, ret);
	return 0;
}

/* Tasks of an array may be told by numbers of their own, which are above that of the whole. */
static bool is_before(const char *id, const char *other)
{
	size_t len = strlen(id), other_len = strlen(other);

	return len != other_len ? len < other_len : strcmp(id, other) < 0;
}

int firecrest_find(struct backend *backend, const struct job *job, char ret_id[BACKEND_ID_MAX],
		   struct err *err)
{
	cleanup_free struct firecrest_job *seen = new_zero(struct firecrest_job);
	cleanup(json_release) json_t *answer = NULL;
	const json_t *json;
	int found = 0;
	size_t i;

	if (ask_list(site_firecrest_client(backend->site), &answer, err) < 0)
		return -1;
	json_array_foreach(json_object_get(answer, "jobs"), i, json) {
		if (strcmp(firecrest_text(json, "workingDirectory"), job->directory) != 0 ||
		    !firecrest_read_job(json, seen))
			continue;
		if (!found || is_before(seen->id, ret_id))
			memcpy(ret_id, seen->id, sizeof(seen->id));
		found = 1;
	}
	return found;
}

static void locate_one(const json_t *json, struct firecrest_job *seen, struct job_list *ret)
{
	cleanup_free char *script =
		str_printf("%s/" FIRECREST_SCRIPT, firecrest_text(json, "workingDirectory"));

	if (!firecrest_read_job(json, seen))
		return;
	jobdir_add_located(
		&(struct located){
			.path = script,
			.file = FIRECREST_SCRIPT,
			.native_id = seen->id,
			.native_state = seen->seen.native_state,
			.name = firecrest_text(json, "name"),
			.state = seen->seen.state,
		},
		ret);
}

int firecrest_locate(struct backend *backend, const char *jobs_dir, struct job_list *ret,
		     struct err *err)
{
	cleanup_free struct firecrest_job *seen = new_zero(struct firecrest_job);
	cleanup(json_release) json_t *answer = NULL;
	const json_t *json;
	size_t i;

	(void)jobs_dir;
	if (ask_list(site_firecrest_client(backend->site), &answer, err) < 0)
		return -1;
	json_array_foreach(json_object_get(answer, "jobs"), i, json)
		locate_one(json, seen, ret);
	return 0;
}

static void add_run(const struct firecrest_job *job, bool is_array, struct run_list *ret)
{
	uint64_t task = 0;
	struct run *run;

	/* Those of an array that have not begun, or one of them by the number of the whole. */
	if ((is_array || job->tasks[0]) && !text_parse_uint(job->tasks, UINT32_MAX, &task))
		return;
	run = run_list_add(ret, task);
	run->attempt = MAX(job->seen.attempts, UINT64_C(1));
	run->state = job->seen.state;
	run_set_text(&run->native_state, job->seen.native_state);
	run_set_text(&run->reason, job->seen.reason);
	run_set_text(&run->node_list, job->seen.node_list);
	run->exit_code = job->seen.exit_code;
	run->signal = job->seen.signal;
	run->started_ns = job->seen.started_ns;
	run->ended_ns = job->seen.ended_ns;
}

int firecrest_list_runs(struct backend *backend, const struct job *job, struct run_list *ret,
			struct err *err)
{
	cleanup_free char *path = str_printf("/compute/{system}/jobs/%s", job->native_id);
	const struct firecrest_request request = { .path = path };
	cleanup_free struct firecrest_job *seen = new_zero(struct firecrest_job);
	cleanup(json_release) json_t *answer = NULL;
	const json_t *json;
	size_t i;

	if (firecrest_call(site_firecrest_client(backend->site), &request, &answer, err) < 0)
		return -1;
	json_array_foreach(json_object_get(answer, "jobs"), i, json) {
		if (firecrest_read_job(json, seen) && strcmp(seen->id, job->native_id) == 0)
			add_run(seen, job_is_array(job), ret);
	}
	return 0;
}

/* Of an array all tasks are told about; what they have in common, and the first one's files, do. */
int firecrest_batch_script(struct backend *backend, const struct job *job, struct batch_script *ret,
			   struct err *err)
{
	cleanup_free char *path = str_printf("/compute/{system}/jobs/%s/metadata", job->native_id);
	const struct firecrest_request request = { .path = path };
	cleanup(json_release) json_t *answer = NULL;
	const json_t *json;

	if (firecrest_call(site_firecrest_client(backend->site), &request, &answer, err) < 0)
		return -1;
	json = json_array_get(json_object_get(answer, "jobs"), 0);
	*ret = (struct batch_script){
		.text = str_dup(firecrest_text(json, "script")),
		.input = str_dup(firecrest_text(json, "standardInput")),
		.output = str_dup(firecrest_text(json, "standardOutput")),
		.error = str_dup(firecrest_text(json, "standardError")),
	};
	return 0;
}
