/* SPDX-License-Identifier: MIT */
/* Tasks; see task.h. */
#include "task.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "controller/backends/docker/engine.h"
#include "controller/backends/jobdir.h"
#include "controller/backends/swarm/lists.h"
#include "controller/backends/swarm/service.h"
#include "init/base/alloc.h"
#include "init/base/indices.h"
#include "init/base/text.h"

#define STATUS_OF_SIGNAL 128
#define SIGNALS 64
#define EXIT_WORDS "task: non-zero exit"
#define LIMIT "its time limit"
#define SILENT "its node does not answer"

static const struct {
	const char *word;
	enum job_state state;
} states[] = {
	{ "new", JOB_QUEUED },	       { "allocated", JOB_QUEUED },  { "pending", JOB_QUEUED },
	{ "assigned", JOB_STARTING },  { "accepted", JOB_STARTING }, { "preparing", JOB_STARTING },
	{ "ready", JOB_STARTING },     { "starting", JOB_STARTING }, { "running", JOB_RUNNING },
	{ "complete", JOB_SUCCEEDED }, { "shutdown", JOB_FAILED },   { "failed", JOB_FAILED },
	{ "rejected", JOB_FAILED },    { "remove", JOB_FAILED },     { "orphaned", JOB_FAILED },
};

enum job_state swarm_state(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		if (strcmp(states[i].word, word) == 0)
			return states[i].state;
	}
	return JOB_UNKNOWN;
}

static bool has_end_constraint(const json_t *spec)
{
	const json_t *constraints =
		json_object_get(json_object_get(spec, "Placement"), "Constraints");
	const json_t *item;
	size_t i;

	json_array_foreach(constraints, i, item) {
		if (json_is_string(item) && strcmp(json_string_value(item), SWARM_NOWHERE) == 0)
			return true;
	}
	return false;
}

const json_t *swarm_ports(const json_t *task)
{
	const json_t *status = json_object_get(task, "Status");

	return json_object_get(json_object_get(status, "PortStatus"), "Ports");
}

/* An end that is not the last is followed by another task as soon as the Swarm has looked at it. */
static bool is_retried(const json_t *spec, const char *state, const char *desired)
{
	const char *condition = swarm_text(json_object_get(spec, "RestartPolicy"), "Condition");

	return strcmp(desired, "running") == 0 &&
	       (strcmp(condition, "any") == 0 ||
		(strcmp(condition, "on-failure") == 0 && strcmp(state, "complete") != 0));
}

bool swarm_read_task(const json_t *json, struct swarm_task *ret)
{
	const json_t *status = json_object_get(json, "Status"),
		     *spec = json_object_get(json, "Spec");
	const json_t *container = json_object_get(status, "ContainerStatus");
	const json_t *labels = json_object_get(json_object_get(spec, "ContainerSpec"), "Labels");
	json_int_t slot = json_integer_value(json_object_get(json, "Slot"));

	*ret = (struct swarm_task){
		.id = swarm_text(json, "ID"),
		.service = swarm_text(json, "ServiceID"),
		.node = swarm_text(json, "NodeID"),
		.container = swarm_text(container, "ContainerID"),
		.state = swarm_text(status, "State"),
		.desired = swarm_text(json, "DesiredState"),
		.message = swarm_text(status, "Message"),
		.error = swarm_text(status, "Err"),
		.slot = slot > 0 ? (uint64_t)slot : 0,
		.created_ns = engine_time(swarm_text(json, "CreatedAt")),
		.changed_ns = engine_time(swarm_text(status, "Timestamp")),
		.exit_code = json_integer_value(json_object_get(container, "ExitCode")),
		.is_end = has_end_constraint(spec),
		.is_published = json_array_size(swarm_ports(json)) > 0,
	};
	ret->is_retried = is_retried(spec, ret->state, ret->desired);
	if (!text_parse_uint(swarm_text(labels, SWARM_LABEL_LIMIT), UINT32_MAX, &ret->limit_s))
		ret->limit_s = 0;
	return ret->id[0] && ret->service[0] && ret->state[0] && ret->slot > 0;
}

static int compare_tasks(const void *a, const void *b)
{
	const struct swarm_task *left = a, *right = b;

	if (left->slot != right->slot)
		return left->slot < right->slot ? -1 : 1;
	if (left->created_ns != right->created_ns)
		return left->created_ns < right->created_ns ? -1 : 1;
	return left->position < right->position ? -1 : left->position > right->position;
}

void swarm_tasks_read(const json_t *list, struct swarm_tasks *ret)
{
	const json_t *item;
	size_t i;

	*ret = (struct swarm_tasks){ .items = new_array(struct swarm_task, json_array_size(list)) };
	json_array_foreach(list, i, item) {
		struct swarm_task *task = &ret->items[ret->len];

		if (!swarm_read_task(item, task) || task->is_end)
			continue;
		task->position = i;
		ret->len++;
	}
	qsort(ret->items, ret->len, sizeof(*ret->items), compare_tasks);
}

void swarm_tasks_finish(struct swarm_tasks *tasks)
{
	free(tasks->items);
	*tasks = (struct swarm_tasks){ 0 };
}

const struct swarm_task *swarm_last_task(const struct swarm_tasks *tasks, uint64_t slot)
{
	size_t from = 0, to = tasks->len;

	/* The first that is behind it. */
	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (tasks->items[middle].slot <= slot)
			from = middle + 1;
		else
			to = middle;
	}
	return from > 0 && tasks->items[from - 1].slot == slot ? &tasks->items[from - 1] : NULL;
}

uint64_t swarm_count_attempts(const struct swarm_tasks *tasks, const struct swarm_task *last)
{
	uint64_t count = 0;

	for (const struct swarm_task *task = last; task->slot == last->slot; task--) {
		count += task->container[0] != '\0';
		if (task == tasks->items)
			break;
	}
	return count;
}

bool swarm_slot_of_rank(const struct job *job, uint64_t rank, uint64_t *ret)
{
	uint64_t before = rank;

	if (job_is_array(job) ? !indices_count_before(job->array, rank, &before)
			      : rank >= MAX(job->tasks, UINT64_C(1)))
		return false;
	*ret = before + 1;
	return true;
}

static void read_end(const struct swarm_task *task, struct observation *ret)
{
	bool has_run = task->container[0] != '\0';

	ret->ended_ns = task->changed_ns;
	if (!has_run || strcmp(task->state, "orphaned") == 0)
		return;
	if (task->exit_code > STATUS_OF_SIGNAL && task->exit_code <= STATUS_OF_SIGNAL + SIGNALS)
		ret->signal = (int)task->exit_code - STATUS_OF_SIGNAL;
	else if (task->exit_code >= 0 && task->exit_code <= 255)
		ret->exit_code = (int)task->exit_code;
	/* Told to end, it may have ended well. */
	if (strcmp(task->state, "shutdown") == 0 && task->exit_code == 0)
		ret->state = JOB_SUCCEEDED;
}

void swarm_apply_limit(const struct swarm_task *task, struct observation *ret)
{
	/* Where nobody saw it start it is known only how long it can have taken at most. */
	bool is_ended_by_signal = ret->signal == SIGTERM || ret->signal == SIGKILL;
	uint64_t from = ret->started_ns	     ? ret->started_ns
			: is_ended_by_signal ? task->created_ns
					     : UINT64_MAX;

	if (!task->limit_s || !job_state_is_ended(ret->state) || ret->ended_ns < from ||
	    ret->ended_ns - from < task->limit_s * NSEC_PER_SEC)
		return;
	ret->state = JOB_TIMEOUT;
	jobdir_copy_text(ret->reason, sizeof(ret->reason), LIMIT);
}

void swarm_observe_task(const struct swarm_task *task, uint64_t started_ns, bool is_cancelled,
			struct observation *ret)
{
	*ret = (struct observation){ .state = swarm_state(task->state),
				     .exit_code = JOB_NO_EXIT_CODE,
				     .started_ns = started_ns };
	jobdir_copy_text(ret->native_state, sizeof(ret->native_state), task->state);
	/* What it was, the exit code tells. */
	if (strncmp(task->error, EXIT_WORDS, strlen(EXIT_WORDS)) != 0)
		jobdir_copy_text(ret->reason, sizeof(ret->reason), task->error);
	if (ret->state == JOB_RUNNING) {
		ret->started_ns = started_ns ? started_ns : task->changed_ns;
		if (strcmp(task->desired, "shutdown") == 0 && !is_cancelled)
			jobdir_copy_text(ret->reason, sizeof(ret->reason), SILENT);
	}
	if (job_state_is_ended(ret->state) && task->is_retried)
		ret->state = JOB_STARTING;
	if (!job_state_is_ended(ret->state))
		return;
	read_end(task, ret);
	swarm_apply_limit(task, ret);
	if (is_cancelled && ret->state != JOB_TIMEOUT)
		ret->state = JOB_CANCELLED;
}
