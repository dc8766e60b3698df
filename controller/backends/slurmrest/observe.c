/* SPDX-License-Identifier: MIT */
/* How jobs are; see observe.h. */
#include "observe.h"

#include <string.h>

#include "controller/backends/jobdir.h"
#include "controller/backends/slurm/index.h"
#include "controller/backends/slurm/submit.h"
#include "controller/backends/slurmrest/read.h"
#include "controller/backends/slurmrest/submit.h"
#include "init/base/log.h"
#include "init/base/text.h"

/* More than these are asked for with the list of all jobs. */
#define SINGLY_MAX 16
/* Jobs that left the queue are asked for one by one; the others are found the next time. */
#define ACCOUNTS_MAX 256

typedef bool read_fn(const json_t *json, struct slurmrest_job *ret);

static void take_jobs(const json_t *answer, read_fn *read, struct slurm_index *index)
{
	cleanup_free struct slurmrest_job *job = new_zero(struct slurmrest_job);
	const json_t *json;
	size_t i;

	json_array_foreach(json_object_get(answer, "jobs"), i, json) {
		if (read(json, job))
			slurm_index_take(index, job->id, job->tasks[0] ? job->tasks : NULL,
					 &job->seen);
	}
}

static int ask(struct slurmrest *rest, const char *path, bool is_accounting, read_fn *read,
	       struct slurm_index *index, struct err *err)
{
	const struct slurmrest_call call = { .path = path, .is_accounting = is_accounting };
	cleanup(json_release) json_t *answer = NULL;

	if (slurmrest_call(rest, &call, &answer, err) < 0)
		return -1;
	if (!json_is_array(json_object_get(answer, "jobs")))
		return err_set(err, ERR_PROTOCOL, "slurmrestd's answer has no list of jobs");
	take_jobs(answer, read, index);
	return 0;
}

/* A job that slurmctld has forgotten is no failure. */
static int ask_one(struct slurmrest *rest, const struct job *job, struct slurm_index *index,
		   struct err *err)
{
	cleanup_free char *path = str_printf("/job/%s", job->native_id);
	struct err own;

	if (ask(rest, path, false, slurmrest_read_job, index, &own) == 0 ||
	    own.kind == ERR_NOT_FOUND)
		return 0;
	return err_set(err, own.kind, "%s", own.text);
}

static int ask_queue(struct slurmrest *rest, struct slurm_index *index, struct err *err)
{
	if (index->len > SINGLY_MAX)
		return ask(rest, "/jobs", false, slurmrest_read_job, index, err);
	for (size_t i = 0; i < index->len; i++) {
		if (ask_one(rest, index->jobs[i], index, err) < 0)
			return -1;
	}
	return 0;
}

/*
 * A job of which slurmdbd knows nothing is refused for itself; slurmrestd without the plugin, or a
 * cluster without accounts, has nothing to tell about any.
 */
static void ask_accounting(struct slurmrest *rest, struct slurm_index *index)
{
	size_t asked = 0;

	for (size_t i = 0; i < index->len && asked < ACCOUNTS_MAX; i++) {
		cleanup_free char *path = NULL;
		struct err why;

		if (slurm_is_known(&index->seen[i]))
			continue;
		asked++;
		path = str_printf("/job/%s", index->jobs[i]->native_id);
		if (ask(rest, path, true, slurmrest_read_account, index, &why) < 0) {
			log_debug("slurmdbd: %s", why.text);
			if (why.kind != ERR_INVALID)
				return;
		}
	}
}

int slurmrest_observe(struct backend *backend, const struct job *const *jobs, size_t len,
		      struct observation *ret, struct err *err)
{
	cleanup(slurm_index_finish) struct slurm_index index = { 0 };
	struct slurmrest *rest = slurmrest_of(backend);

	slurm_index_init(&index, jobs, len, ret);
	if (ask_queue(rest, &index, err) < 0)
		return -1;
	ask_accounting(rest, &index);
	slurm_index_add_status(&index, backend->site);
	return 0;
}

int slurmrest_find(struct backend *backend, const struct job *job, char ret_id[BACKEND_ID_MAX],
		   struct err *err)
{
	const struct slurmrest_call call = { .path = "/jobs" };
	cleanup_free char *pattern = slurm_file_pattern(job->directory, JOBDIR_INPUT);
	cleanup(json_release) json_t *answer = NULL;

	if (slurmrest_call(slurmrest_of(backend), &call, &answer, err) < 0)
		return -1;
	return slurmrest_find_input(answer, pattern, ret_id) ? 1 : 0;
}

int slurmrest_locate(struct backend *backend, const char *jobs_dir, struct job_list *ret,
		     struct err *err)
{
	const struct slurmrest_call call = { .path = "/jobs" };
	struct slurmrest *rest = slurmrest_of(backend);
	cleanup(json_release) json_t *answer = NULL;

	(void)jobs_dir;
	if (slurmrest_call(rest, &call, &answer, err) < 0)
		return -1;
	slurmrest_locate_jobs(answer, rest->user, JOBDIR_INPUT, ret);
	return 0;
}

static void add_run(const struct slurmrest_job *job, struct run_list *ret)
{
	uint64_t task = 0, attempt = 1;
	struct run *run;

	if (job->tasks[0] && !text_parse_uint(job->tasks, UINT32_MAX, &task))
		return; /* they have not begun */
	for (size_t i = 0; i < ret->len; i++)
		attempt += ret->items[i].task == task;
	run = run_list_add(ret, task);
	run->attempt = MAX(attempt, job->seen.attempts);
	run->state = job->seen.state;
	run_set_text(&run->native_state, job->seen.native_state);
	run_set_text(&run->reason, job->seen.reason);
	run_set_text(&run->node_list, job->seen.node_list);
	run->exit_code = job->seen.exit_code;
	run->signal = job->seen.signal;
	run->started_ns = job->seen.started_ns;
	run->ended_ns = job->seen.ended_ns;
	if (run->state == JOB_QUEUED)
		run->attempt = job->seen.attempts;
}

static int add_runs(struct slurmrest *rest, const struct job *about, bool is_accounting,
		    read_fn *read, struct run_list *ret, struct err *err)
{
	cleanup_free char *path = str_printf("/job/%s", about->native_id);
	const struct slurmrest_call call = { .path = path, .is_accounting = is_accounting };
	cleanup_free struct slurmrest_job *job = new_zero(struct slurmrest_job);
	cleanup(json_release) json_t *answer = NULL;
	const json_t *json;
	size_t i;

	if (slurmrest_call(rest, &call, &answer, err) < 0)
		return -1;
	json_array_foreach(json_object_get(answer, "jobs"), i, json) {
		if (read(json, job) && strcmp(job->id, about->native_id) == 0)
			add_run(job, ret);
	}
	return 0;
}

int slurmrest_list_runs(struct backend *backend, const struct job *job, struct run_list *ret,
			struct err *err)
{
	struct slurmrest *rest = slurmrest_of(backend);

	if (add_runs(rest, job, true, slurmrest_read_account, ret, NULL) == 0 && ret->len > 0)
		return 0;
	return add_runs(rest, job, false, slurmrest_read_job, ret, err);
}
