/* SPDX-License-Identifier: MIT */
/* How jobs are; see observe.h. */
#include "observe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/backends/docker/container.h"
#include "controller/backends/docker/create.h"
#include "controller/backends/docker/files.h"
#include "controller/backends/jobdir.h"
#include "init/base/alloc.h"

#define STATUS_OF_SIGNAL 128
#define OOM "killed by the kernel: out of memory"
#define LIMIT "its time limit"
#define REMOVED "the container was removed"
/* So long Podman may take to start a container again. */
#define AGAIN_NS (10 * NSEC_PER_SEC)
#define GONE "the engine has no such container: was it removed, or is this another engine?"

static const struct {
	const char *word;
	enum job_state state;
} states[] = {
	{ "created", JOB_STARTING },	 { "configured", JOB_STARTING },
	{ "initialized", JOB_STARTING }, { "restarting", JOB_STARTING },
	{ "running", JOB_RUNNING },	 { "paused", JOB_RUNNING },
	{ "stopping", JOB_RUNNING },	 { "removing", JOB_RUNNING },
	{ "exited", JOB_FAILED },	 { "stopped", JOB_FAILED },
	{ "dead", JOB_FAILED },
};

enum job_state docker_state(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		if (strcmp(states[i].word, word) == 0)
			return states[i].state;
	}
	return JOB_UNKNOWN;
}

bool docker_read_item(const json_t *item, struct docker_item *ret)
{
	const json_t *labels = json_object_get(item, "Labels");

	*ret = (struct docker_item){
		.id = json_string_value(json_object_get(item, "Id")),
		.uid = json_string_value(json_object_get(labels, DOCKER_LABEL_UID)),
		.state = json_string_value(json_object_get(item, "State")),
	};
	return ret->id && ret->id[0] && ret->uid && ret->uid[0] && ret->state && ret->state[0];
}

/* filter: what the label has to be, with its value or without. */
static int list(struct engine *engine, const char *label, json_t **ret, struct err *err)
{
	cleanup_free char *path = str_printf("/containers/json?all=true&filters="
					     "%%7B%%22label%%22%%3A%%5B%%22%s%%22%%5D%%7D",
					     label);
	const struct engine_call call = { .path = path };

	return engine_call(engine, &call, ret, err);
}

static int compare_items(const void *a, const void *b)
{
	return strcmp(((const struct docker_item *)a)->id, ((const struct docker_item *)b)->id);
}

/* The list in the order of ids. */
struct index {
	json_t *answer;
	struct docker_item *items;
	size_t len;
};

static void index_finish(struct index *index)
{
	json_decref(index->answer);
	free(index->items);
}
DEFINE_CLEANUP_VALUE(struct index, index_finish)

static int index_fill(struct engine *engine, struct index *index, struct err *err)
{
	const json_t *item;
	size_t i;

	if (list(engine, DOCKER_LABEL_UID, &index->answer, err) < 0)
		return -1;
	if (!json_is_array(index->answer))
		return err_set(err, ERR_PROTOCOL, "the engine's list of containers is none");
	index->items = new_array(struct docker_item, MAX(json_array_size(index->answer), 1U));
	json_array_foreach(index->answer, i, item)
		index->len += docker_read_item(item, &index->items[index->len]);
	qsort(index->items, index->len, sizeof(index->items[0]), compare_items);
	return 0;
}

static const struct docker_item *index_find(const struct index *index, const char *id)
{
	const struct docker_item wanted = { .id = id };

	return bsearch(&wanted, index->items, index->len, sizeof(index->items[0]), compare_items);
}

static uint64_t time_of(const json_t *state, const char *key)
{
	return engine_time(json_string_value(json_object_get(state, key)));
}

static void read_end(const json_t *state, struct observation *ret)
{
	json_int_t code = json_integer_value(json_object_get(state, "ExitCode"));
	const char *error = json_string_value(json_object_get(state, "Error"));

	ret->ended_ns = time_of(state, "FinishedAt");
	if (code > STATUS_OF_SIGNAL && code <= STATUS_OF_SIGNAL + 64)
		ret->signal = (int)code - STATUS_OF_SIGNAL;
	else if (code >= 0 && code <= 255)
		ret->exit_code = (int)code;
	ret->state = code == 0 ? JOB_SUCCEEDED : JOB_FAILED;
	if (json_is_true(json_object_get(state, "OOMKilled")) && code != 0)
		jobdir_copy_text(ret->reason, sizeof(ret->reason), OOM);
	else if (error && error[0])
		jobdir_copy_text(ret->reason, sizeof(ret->reason), error);
}

void docker_read_details(const json_t *container, struct observation *ret)
{
	const json_t *state = json_object_get(container, "State");
	json_int_t restarts = json_integer_value(json_object_get(container, "RestartCount"));

	ret->started_ns = time_of(state, "StartedAt");
	ret->attempts = restarts > 0 && restarts < INT32_MAX ? (uint64_t)restarts + 1 : 1;
	if (ret->state == JOB_FAILED)
		read_end(state, ret);
}

void docker_read_status(const struct job *job, unsigned int rank, struct observation *ret)
{
	struct status status;

	if (jobdir_read_status(NULL, job->directory, rank, &status, NULL) != 1 || !status.exited)
		return;
	ret->state = status.exit_code == 0 && status.signal == 0 ? JOB_SUCCEEDED : JOB_FAILED;
	ret->exit_code = status.exit_code;
	ret->signal = status.signal;
	ret->started_ns = status.started_ns;
	ret->ended_ns = MAX(ret->ended_ns, status.ended_ns);
	if (status.timed_out) {
		ret->state = JOB_TIMEOUT;
		jobdir_copy_text(ret->reason, sizeof(ret->reason), LIMIT);
	} else if (status.oom_killed && ret->state == JOB_FAILED) {
		jobdir_copy_text(ret->reason, sizeof(ret->reason), OOM);
	}
}

/*
 * Docker says of a container that it is about to start again ("restarting"); Podman says that it
 * exited, and starts it.
 */
bool docker_starts_again(const json_t *container, uint64_t now_ns)
{
	const json_t *state = json_object_get(container, "State");
	const json_t *host = json_object_get(container, "HostConfig");
	const json_t *policy = json_object_get(host, "RestartPolicy");
	const char *name = json_string_value(json_object_get(policy, "Name"));
	json_int_t most = json_integer_value(json_object_get(policy, "MaximumRetryCount"));
	json_int_t times = json_integer_value(json_object_get(container, "RestartCount"));

	if (!name || time_of(state, "FinishedAt") + AGAIN_NS < now_ns)
		return false;
	if (strcmp(name, "on-failure") == 0)
		return json_integer_value(json_object_get(state, "ExitCode")) != 0 &&
		       (most == 0 || times < most);
	return strcmp(name, "always") == 0 || strcmp(name, "unless-stopped") == 0;
}

static void look_closer(struct engine *engine, const struct job *job, struct observation *ret)
{
	cleanup(json_release) json_t *container = NULL;
	bool has_ended = ret->state == JOB_FAILED;
	struct err err;

	if (docker_inspect(engine, job->native_id, &container, &err) < 0) {
		/* It went in between: the next look tells. */
		ret->state = job->state;
		jobdir_copy_text(ret->reason, sizeof(ret->reason), err.text);
		return;
	}
	if (has_ended && engine->is_podman && !job->cancel_requested &&
	    docker_starts_again(container, jobdir_now_ns())) {
		ret->state = JOB_STARTING;
		return;
	}
	docker_read_details(container, ret);
	if (!has_ended)
		return;
	if (docker_fetch_job_file(engine, job->native_id, job->directory, "status.0.json", NULL) ==
	    0)
		docker_read_status(job, 0, ret);
	if (job->cancel_requested && ret->state != JOB_TIMEOUT)
		ret->state = JOB_CANCELLED;
}

/* One that carries no label of ours: asked about alone. */
static void observe_adopted(struct engine *engine, const struct job *job, struct observation *ret)
{
	cleanup(json_release) json_t *container = NULL;
	const char *word;
	struct err err;

	ret->exit_code = JOB_NO_EXIT_CODE;
	if (docker_inspect(engine, job->native_id, &container, &err) < 0) {
		ret->state = err.kind == ERR_NOT_FOUND ? JOB_CANCELLED : job->state;
		jobdir_copy_text(ret->reason, sizeof(ret->reason),
				 err.kind == ERR_NOT_FOUND ? REMOVED : err.text);
		return;
	}
	word = json_string_value(json_object_get(json_object_get(container, "State"), "Status"));
	ret->state = docker_state(word ? word : "");
	jobdir_copy_text(ret->native_state, sizeof(ret->native_state), word ? word : "");
	docker_read_details(container, ret);
}

static void observe_one(struct engine *engine, const struct index *index, const struct job *job,
			struct observation *ret)
{
	const struct docker_item *item = index_find(index, job->native_id);

	ret->exit_code = JOB_NO_EXIT_CODE;
	if (!item) {
		ret->state = job->cancel_requested ? JOB_CANCELLED : JOB_UNKNOWN;
		jobdir_copy_text(ret->reason, sizeof(ret->reason), GONE);
		return;
	}
	ret->state = docker_state(item->state);
	jobdir_copy_text(ret->native_state, sizeof(ret->native_state), item->state);
	ret->started_ns = job->started_ns;
	if (ret->state == JOB_FAILED || (ret->state == JOB_RUNNING && job->started_ns == 0))
		look_closer(engine, job, ret);
}

int docker_observe_jobs(struct engine *engine, const struct job *const *jobs, size_t len,
			struct observation *ret, struct err *err)
{
	cleanup(index_finish) struct index index = { 0 };

	if (index_fill(engine, &index, err) < 0)
		return -1;
	for (size_t i = 0; i < len; i++) {
		if (job_is_adopted(jobs[i]))
			observe_adopted(engine, jobs[i], &ret[i]);
		else
			observe_one(engine, &index, jobs[i], &ret[i]);
	}
	return 0;
}

int docker_find_started(struct engine *engine, const char *uid, char ret_id[BACKEND_ID_MAX],
			struct err *err)
{
	cleanup_free char *label = str_printf("%s=%s", DOCKER_LABEL_UID, uid);
	cleanup(json_release) json_t *answer = NULL;
	struct docker_item item;

	if (list(engine, label, &answer, err) < 0)
		return -1;
	/* One that was not started was not handed over: it goes with what its submission left. */
	if (!docker_read_item(json_array_get(answer, 0), &item) ||
	    docker_state(item.state) == JOB_STARTING || strlen(item.id) >= BACKEND_ID_MAX)
		return 0;
	snprintf(ret_id, BACKEND_ID_MAX, "%s", item.id);
	return 1;
}
