/* SPDX-License-Identifier: MIT */
/* How jobs are; see observe.h. */
#include "observe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controller/backends/docker/container.h"
#include "controller/backends/docker/create.h"
#include "controller/backends/docker/files.h"
#include "controller/backends/docker/observe.h"
#include "controller/backends/jobdir.h"
#include "controller/backends/swarm/lists.h"
#include "controller/backends/swarm/service.h"
#include "controller/model/hostlist.h"
#include "init/base/alloc.h"
#include "init/base/fs.h"

#define NAMES "berth-" /* as all of our services begin */
#define GONE "there is no such service: was it removed, or is this another Swarm?"

void swarm_finish(struct swarm *swarm)
{
	engine_close(swarm->engine);
	free(swarm->self);
	json_decref(swarm->nodes);
	*swarm = (struct swarm){ 0 };
}

int swarm_greet(struct swarm *swarm, struct err *err)
{
	return swarm->self ? 0 : swarm_find_self(swarm->engine, &swarm->self, err);
}

bool swarm_is_here(const struct swarm *swarm, const struct swarm_task *task)
{
	return swarm->self && task->container[0] && strcmp(swarm->self, task->node) == 0;
}

static void learn_nodes(struct swarm *swarm)
{
	cleanup(json_release) json_t *nodes = NULL;
	json_t *node;
	size_t i;

	if (!swarm->nodes)
		swarm->nodes = json_object();
	if (swarm_list(swarm->engine, "nodes", NULL, NULL, &nodes, NULL) < 0)
		return;
	json_array_foreach(nodes, i, node)
		json_object_set_new(
			swarm->nodes, swarm_text(node, "ID"),
			json_string(swarm_text(json_object_get(node, "Description"), "Hostname")));
}

const char *swarm_node_name(struct swarm *swarm, const char *id)
{
	const char *name = swarm_text(swarm->nodes, id);

	if (name[0] == '\0' && id[0]) {
		learn_nodes(swarm);
		name = swarm_text(swarm->nodes, id);
	}
	return name[0] ? name : id;
}

/* Tasks by the ids of their services, which are all there. */
static int list_all(struct engine *engine, json_t **ret, struct err *err)
{
	cleanup(json_release) json_t *services = NULL;
	cleanup(json_release) json_t *tasks = NULL;
	cleanup(json_release) json_t *all = json_object();
	json_t *item;
	size_t i;

	if (swarm_list(engine, "services", "label", DOCKER_LABEL_UID, &services, err) < 0 ||
	    swarm_list(engine, "tasks", "name", NAMES, &tasks, err) < 0)
		return -1;
	json_array_foreach(services, i, item)
		json_object_set_new(all, swarm_text(item, "ID"), json_array());
	json_array_foreach(tasks, i, item)
		json_array_append(json_object_get(all, swarm_text(item, "ServiceID")), item);
	*ret = take_ptr(all);
	return 0;
}

int swarm_fetch_status(struct swarm *swarm, const struct job *job, unsigned int rank,
		       const struct swarm_task *task, struct err *err)
{
	cleanup_free char *name = str_printf("status.%u.json", rank);
	cleanup_free char *there = str_printf(SWARM_JOB_SUBDIR "/%s", name);
	cleanup_free char *path = fs_join(job->directory, name);
	cleanup(buf_finish) struct buf content = BUF_INIT(DOCKER_FILE_MAX);

	if (docker_get_job_file(swarm->engine, task->container, there, &content, err) < 0)
		return -1;
	return fs_write_file_unsynced(path, buf_span(&content), 0600, err);
}

static void look_closer(struct swarm *swarm, const struct job *job, unsigned int rank,
			const struct swarm_task *task, struct observation *ret)
{
	cleanup(json_release) json_t *container = NULL;
	struct observation own = { .state = JOB_FAILED, .exit_code = JOB_NO_EXIT_CODE };

	if (docker_inspect(swarm->engine, task->container, &container, NULL) < 0)
		return;
	docker_read_details(container, &own);
	ret->started_ns = own.started_ns ? own.started_ns : ret->started_ns;
	if (!job_state_is_ended(ret->state))
		return;
	ret->ended_ns = own.ended_ns ? own.ended_ns : ret->ended_ns;
	if (own.reason[0] && ret->state == JOB_FAILED)
		memcpy(ret->reason, own.reason, sizeof(ret->reason));
	swarm_apply_limit(task, ret);
	if (swarm_fetch_status(swarm, job, rank, task, NULL) == 0)
		docker_read_status(job, rank, ret);
	if (job->cancel_requested && ret->state != JOB_TIMEOUT)
		ret->state = JOB_CANCELLED;
}

/* What is seen of a slot in which nothing was tried yet, or that was emptied before. */
static void observe_nothing(const struct swarm_tasks *tasks, const struct job *job,
			    struct observation *ret)
{
	*ret = (struct observation){ .state = JOB_QUEUED, .exit_code = JOB_NO_EXIT_CODE };
	jobdir_copy_text(ret->native_state, sizeof(ret->native_state), "new");
	if (job->cancel_requested && tasks->len > 0)
		ret->state = JOB_CANCELLED;
}

/* Whether an end is looked at closely: of ranks only when all have ended, and that is kept. */
static bool have_all_ended(const struct swarm_tasks *tasks, const struct job *job)
{
	for (uint64_t slot = 1; slot <= MAX(job->tasks, UINT64_C(1)); slot++) {
		const struct swarm_task *task = swarm_last_task(tasks, slot);

		if (task && !job_state_is_ended(swarm_state(task->state)))
			return false;
	}
	return true;
}

static void observe_run(struct swarm *swarm, const struct swarm_tasks *tasks, const struct job *job,
			bool looks_at_end, struct run *run)
{
	const struct swarm_task *task;
	struct observation seen;
	uint64_t slot;

	if (job_state_is_ended(run->state) || !swarm_slot_of_rank(job, run->task, &slot))
		return;
	task = swarm_last_task(tasks, slot);
	if (!task) {
		observe_nothing(tasks, job, &seen);
		observation_to_run(&seen, run);
		return;
	}
	swarm_observe_task(task, run->started_ns, job->cancel_requested, &seen);
	seen.attempts = swarm_count_attempts(tasks, task);
	jobdir_copy_text(seen.node_list, sizeof(seen.node_list),
			 task->node[0] ? swarm_node_name(swarm, task->node) : "");
	if (swarm_is_here(swarm, task) && ((job_state_is_ended(seen.state) && looks_at_end) ||
					   (seen.state == JOB_RUNNING && run->started_ns == 0)))
		look_closer(swarm, job, (unsigned int)run->task, task, &seen);
	observation_to_run(&seen, run);
}

static void add_node(struct observation *ret, const char *node)
{
	size_t len = strlen(ret->node_list);

	if (!node[0] || hostlist_has(ret->node_list, node) ||
	    len + strlen(node) + 2 > sizeof(ret->node_list))
		return;
	snprintf(ret->node_list + len, sizeof(ret->node_list) - len, "%s%s", len ? "," : "", node);
}

/* Ranks have no record of their own: they are seen as the tasks of an array are, and folded. */
static void observe_ranks(struct swarm *swarm, const struct swarm_tasks *tasks,
			  const struct job *job, struct observation *ret)
{
	cleanup(run_list_finish) struct run_list ranks = { 0 };
	struct observation all = { .runs = &ranks };
	bool is_end = have_all_ended(tasks, job);

	for (uint64_t rank = 0; rank < MAX(job->tasks, UINT64_C(1)); rank++) {
		struct run *run = run_list_add(&ranks, rank);

		run->started_ns = job->started_ns;
		observe_run(swarm, tasks, job, is_end, run);
	}
	observation_fold(&all);
	for (size_t i = 0; i < ranks.len; i++)
		add_node(&all, ranks.items[i].node_list);
	all.runs = NULL;
	*ret = all;
}

static void observe_missing(const struct job *job, struct observation *ret)
{
	struct observation gone = { .state = job->cancel_requested ? JOB_CANCELLED : JOB_UNKNOWN,
				    .exit_code = JOB_NO_EXIT_CODE,
				    .runs = ret->runs };

	jobdir_copy_text(gone.reason, sizeof(gone.reason), job->cancel_requested ? "" : GONE);
	for (size_t i = 0; ret->runs && i < ret->runs->len; i++) {
		gone.started_ns = ret->runs->items[i].started_ns;
		observation_to_run(&gone, &ret->runs->items[i]);
	}
	gone.started_ns = job->started_ns;
	*ret = gone;
}

/* list: its tasks. */
static void observe_job(struct swarm *swarm, const json_t *list, const struct job *job,
			struct observation *ret)
{
	cleanup(swarm_tasks_finish) struct swarm_tasks tasks = { 0 };
	struct run_list *runs = ret->runs;

	swarm_tasks_read(list, &tasks);
	if (!runs)
		observe_ranks(swarm, &tasks, job, ret);
	for (size_t i = 0; runs && i < runs->len; i++)
		observe_run(swarm, &tasks, job, true, &runs->items[i]);
}

int swarm_observe_jobs(struct swarm *swarm, const struct job *const *jobs, size_t len,
		       struct observation *ret, struct err *err)
{
	cleanup(json_release) json_t *all = NULL;

	if (swarm_greet(swarm, err) < 0 || list_all(swarm->engine, &all, err) < 0)
		return -1;
	for (size_t i = 0; i < len; i++) {
		const json_t *list = json_object_get(all, jobs[i]->native_id);

		if (list)
			observe_job(swarm, list, jobs[i], &ret[i]);
		else
			observe_missing(jobs[i], &ret[i]);
	}
	return 0;
}

int swarm_list_tasks(struct swarm *swarm, const struct job *job, json_t **ret, struct err *err)
{
	return swarm_greet(swarm, err) < 0
		       ? -1
		       : swarm_list(swarm->engine, "tasks", "service", job->native_id, ret, err);
}

const struct swarm_task *swarm_task_of_rank(const struct swarm_tasks *tasks, const struct job *job,
					    uint64_t rank, struct err *err)
{
	const struct swarm_task *task = NULL;
	uint64_t slot;

	if (swarm_slot_of_rank(job, rank, &slot))
		task = swarm_last_task(tasks, slot);
	if (!task)
		err_set(err, ERR_NOT_FOUND, "there is no task for rank %" PRIu64, rank);
	return task;
}

int swarm_find_task(struct swarm *swarm, const struct job *job, uint64_t rank, json_t **ret_tasks,
		    struct swarm_task *ret, struct err *err)
{
	cleanup(swarm_tasks_finish) struct swarm_tasks tasks = { 0 };
	cleanup(json_release) json_t *list = NULL;
	const struct swarm_task *task;

	if (swarm_list_tasks(swarm, job, &list, err) < 0)
		return -1;
	swarm_tasks_read(list, &tasks);
	task = swarm_task_of_rank(&tasks, job, rank, err);
	if (!task)
		return -1;
	*ret = *task;
	*ret_tasks = take_ptr(list);
	return 0;
}
