/* SPDX-License-Identifier: MIT */
/* Single tasks of arrays; see tasks.h. */
#include "tasks.h"

#include <inttypes.h>
#include <string.h>

#include "controller/backends/firecrest/act.h"
#include "controller/backends/firecrest/read.h"
#include "controller/backends/firecrest/site.h"
#include "init/base/indices.h"
#include "init/base/alloc.h"
#include "init/base/log.h"
#include "init/base/text.h"

#define LIST_MAX 4096

struct task {
	uint64_t index;
	enum job_state state; /* UNKNOWN: not told */
};

struct tasks {
	struct task *items;
	size_t len;
	char running[BACKEND_ID_MAX]; /* the number of one that runs, or "" */
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

/*
 * Accounting tells tasks by their indices, the queue by the numbers that they have for themselves:
 * such a one that runs can be attached to, whichever of the tasks it is.
 */
static void take_tasks(const json_t *answer, const struct job *job, struct tasks *ret)
{
	cleanup_free struct firecrest_job *seen = new_zero(struct firecrest_job);
	const json_t *json;
	size_t i;

	json_array_foreach(json_object_get(answer, "jobs"), i, json) {
		uint64_t index;

		if (!firecrest_read_job(json, seen))
			continue;
		if (!seen->tasks[0] && seen->seen.state == JOB_RUNNING)
			memcpy(ret->running, seen->id, sizeof(ret->running));
		else if (strcmp(seen->id, job->native_id) == 0 &&
			 text_parse_uint(seen->tasks, UINT32_MAX, &index))
			have_task(ret, index)->state = seen->seen.state;
	}
}

static int ask(struct firecrest *fc, const struct job *job, struct tasks *ret, struct err *err)
{
	cleanup_free char *path = str_printf("/compute/{system}/jobs/%s", job->native_id);
	const struct firecrest_request request = { .path = path };
	cleanup(json_release) json_t *answer = NULL;

	if (firecrest_call(fc, &request, &answer, err) < 0)
		return -1;
	take_tasks(answer, job, ret);
	return 0;
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

/* By a task that runs. */
static int cancel(struct firecrest *fc, const struct tasks *tasks, const struct job *job,
		  struct err *err)
{
	cleanup(buf_finish) struct buf open = BUF_INIT(LIST_MAX);
	cleanup(argv_finish) struct argv argv = { 0 };

	if (!list_open(tasks, job, &open))
		return 0;
	argv_add_words(&argv, "scancel", "--quiet", buf_str(&open), NULL);
	if (tasks->running[0])
		return firecrest_attach(fc, tasks->running, &argv, err);
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

	if (ask(site_firecrest_client(backend->site), job, &tasks, err) < 0)
		return -1;
	if (!tasks.running[0])
		return err_set(err, ERR_UNAVAILABLE, "no task of it runs");
	memcpy(ret, tasks.running, sizeof(tasks.running));
	return 0;
}
