/* SPDX-License-Identifier: MIT */
/* Single tasks of arrays; see tasks.h. */
#include "tasks.h"

#include <inttypes.h>
#include <string.h>

#include "controller/backends/firecrest/act.h"
#include "controller/backends/firecrest/read.h"
#include "controller/backends/firecrest/site.h"
#include "controller/model/indices.h"
#include "init/base/alloc.h"
#include "init/base/log.h"
#include "init/base/text.h"

#define LIST_MAX 4096

struct task {
	uint64_t index;
	char id[BACKEND_ID_MAX]; /* its own, or "" */
	enum job_state state;	 /* UNKNOWN: not told */
};

struct tasks {
	struct task *items;
	size_t len;
};

static void tasks_finish(struct tasks *tasks)
{
	free(tasks->items);
}
DEFINE_CLEANUP_VALUE(struct tasks, tasks_finish)

static struct task *find_task(const struct tasks *tasks, uint64_t index)
{
	for (size_t i = 0; i < tasks->len; i++) {
		if (tasks->items[i].index == index)
			return &tasks->items[i];
	}
	return NULL;
}

static struct task *have_task(struct tasks *tasks, uint64_t index)
{
	struct task *found = find_task(tasks, index);

	if (found)
		return found;
	tasks->items = alloc_grow(tasks->items, tasks->len + 1, sizeof(*tasks->items));
	tasks->items[tasks->len] = (struct task){ .index = index, .state = JOB_UNKNOWN };
	return &tasks->items[tasks->len++];
}

/* Which index has which number: by the files that they print to. */
static void take_numbers(const json_t *answer, const struct job *job, struct tasks *ret)
{
	cleanup_free char *prefix = str_printf("%s/stdout.", job->directory);
	const json_t *json;
	size_t i;

	json_array_foreach(json_object_get(answer, "jobs"), i, json) {
		const char *path = firecrest_text(json, "standardOutput");
		const char *id = firecrest_text(json, "jobId");
		uint64_t index, number;

		if (strncmp(path, prefix, strlen(prefix)) == 0 &&
		    text_parse_uint(path + strlen(prefix), UINT32_MAX, &index) &&
		    text_parse_uint(id, UINT32_MAX, &number))
			snprintf(have_task(ret, index)->id, BACKEND_ID_MAX, "%s", id);
	}
}

static void take_states(const json_t *answer, const struct job *job, struct tasks *ret)
{
	cleanup_free struct firecrest_job *seen = new_zero(struct firecrest_job);
	const json_t *json;
	size_t i;

	json_array_foreach(json_object_get(answer, "jobs"), i, json) {
		uint64_t index;

		if (firecrest_read_job(json, seen) && strcmp(seen->id, job->native_id) == 0 &&
		    text_parse_uint(seen->tasks, UINT32_MAX, &index))
			have_task(ret, index)->state = seen->seen.state;
	}
}

static int ask(struct firecrest *fc, const struct job *job, struct tasks *ret, struct err *err)
{
	cleanup_free char *one = str_printf("/compute/{system}/jobs/%s", job->native_id);
	cleanup_free char *more = str_printf("%s/metadata", one);
	const struct firecrest_request requests[] = { { .path = one }, { .path = more } };
	json_t *answers[ARRAY_LEN(requests)];
	struct err errs[ARRAY_LEN(requests)];
	int result = 0;

	if (firecrest_call_many(fc, requests, ARRAY_LEN(requests), answers, errs) < 0)
		result = err_set(err, errs[0].kind ? errs[0].kind : errs[1].kind, "%s",
				 errs[0].kind ? errs[0].text : errs[1].text);
	take_states(answers[0], job, ret);
	take_numbers(answers[1], job, ret);
	json_decref(answers[0]);
	json_decref(answers[1]);
	return result;
}

/* "7_[3,5]" of those to be cancelled that have not ended; false: there are none. */
static bool list_open(const struct tasks *tasks, const struct job *job, struct buf *ret)
{
	bool any = false, ok = buf_printf(ret, "%s_[", job->native_id);

	for (uint64_t index = 0; ok && indices_next(job->only, index, &index); index++) {
		const struct task *task = find_task(tasks, index);

		if (task && job_state_is_ended(task->state))
			continue;
		ok = buf_printf(ret, "%s%" PRIu64, any ? "," : "", index);
		any = true;
	}
	return buf_append_u8(ret, ']') && ok && any;
}

static const struct task *find_running(const struct tasks *tasks)
{
	for (size_t i = 0; i < tasks->len; i++) {
		if (tasks->items[i].state == JOB_RUNNING && tasks->items[i].id[0])
			return &tasks->items[i];
	}
	return NULL;
}

/* By a task that runs. */
static int cancel(struct firecrest *fc, const struct tasks *tasks, const struct job *job,
		  struct err *err)
{
	cleanup(buf_finish) struct buf open = BUF_INIT(LIST_MAX);
	cleanup(argv_finish) struct argv argv = { 0 };
	const struct task *runs = find_running(tasks);

	if (!list_open(tasks, job, &open))
		return 0;
	argv_add_words(&argv, "scancel", "--quiet", buf_str(&open), NULL);
	if (runs)
		return firecrest_attach(fc, runs->id, &argv, err);
	return err_set(err, ERR_UNSUPPORTED,
		       "FirecREST cannot name single tasks, and none of them runs that could end "
		       "others: cancel job-%" PRIu64 ", or say 'scancel %s' on a login node",
		       job->id, buf_str(&open));
}

int firecrest_cancel_tasks(struct backend *backend, const struct job *job, struct err *err)
{
	struct firecrest *fc = site_firecrest_client(backend->site);
	cleanup(tasks_finish) struct tasks tasks = { 0 };

	return ask(fc, job, &tasks, err) < 0 ? -1 : cancel(fc, &tasks, job, err);
}

int firecrest_find_running(struct backend *backend, const struct job *job, char ret[BACKEND_ID_MAX],
			   struct err *err)
{
	cleanup(tasks_finish) struct tasks tasks = { 0 };
	const struct task *runs;

	if (ask(site_firecrest_client(backend->site), job, &tasks, err) < 0)
		return -1;
	runs = find_running(&tasks);
	if (!runs)
		return err_set(err, ERR_UNAVAILABLE, "no task of it runs");
	memcpy(ret, runs->id, sizeof(runs->id));
	return 0;
}
