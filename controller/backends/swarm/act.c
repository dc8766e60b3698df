/* SPDX-License-Identifier: MIT */
/* What is done to tasks; see act.h. */
#include "act.h"

#include <inttypes.h>
#include <string.h>

#include "controller/backends/docker/container.h"
#include "controller/backends/docker/exec.h"
#include "controller/backends/docker/files.h"
#include "controller/backends/jobdir.h"
#include "controller/backends/swarm/lists.h"
#include "controller/backends/swarm/service.h"
#include "init/base/indices.h"
#include "init/base/alloc.h"
#include "init/base/fs.h"

#define TRIES 5
#define OUTDATED "out of sequence"
#define FILE_MAX (1024 * 1024)

static int end_once(struct engine *engine, const struct job *job, struct err *err)
{
	cleanup_free char *path = str_printf("/services/%s", job->native_id), *change = NULL;
	struct engine_call call = { .path = path };
	cleanup(json_release) json_t *service = NULL;
	json_t *spec;

	if (engine_call(engine, &call, &service, err) < 0)
		return -1;
	spec = json_object_get(service, "Spec");
	if (!json_is_object(json_object_get(spec, "TaskTemplate")))
		return err_set(err, ERR_PROTOCOL, "the engine describes the service without tasks");
	swarm_end_spec(spec);
	change = str_printf("%s/update?version=%" PRId64, path,
			    (int64_t)json_integer_value(
				    json_object_get(json_object_get(service, "Version"), "Index")));
	call = (struct engine_call){ .method = "POST", .path = change, .body = spec };
	return engine_call(engine, &call, NULL, err);
}

int swarm_end(struct swarm *swarm, const struct job *job, struct err *err)
{
	struct err own = { 0 };

	/* The Swarm changes it, too. */
	for (int i = 0; i < TRIES; i++) {
		if (end_once(swarm->engine, job, &own) == 0 || own.kind == ERR_NOT_FOUND)
			return 0;
		if (!strstr(own.text, OUTDATED))
			break;
	}
	return err_set(err, own.kind, "%s", own.text);
}

static int refuse(struct swarm *swarm, const struct swarm_task *task, struct err *err)
{
	return err_set(err, ERR_UNSUPPORTED,
		       "the task runs on node %.80s, and %s reaches containers of its own node "
		       "only: use ssh, or set the cluster's 'url' to that node if it is a manager",
		       swarm_node_name(swarm, task->node), swarm->engine->address);
}

int swarm_find_container(struct swarm *swarm, const struct job *job, uint64_t rank, char **ret,
			 struct err *err)
{
	cleanup(json_release) json_t *tasks = NULL;
	struct swarm_task task;

	if (swarm_find_task(swarm, job, rank, &tasks, &task, err) < 0)
		return -1;
	if (strcmp(task.state, "running") != 0)
		return err_set(err, ERR_NOT_FOUND, "the task does not run");
	if (!swarm_is_here(swarm, &task))
		return refuse(swarm, &task, err);
	*ret = str_dup(task.container);
	return 0;
}

int swarm_carry(struct swarm *swarm, const struct job *job, uint64_t rank,
		const struct backend_carry *carry, struct err *err)
{
	cleanup(json_release) json_t *tasks = NULL;
	struct backend_carry there = *carry;
	struct swarm_task task;

	if (swarm_find_task(swarm, job, rank, &tasks, &task, err) < 0)
		return -1;
	if (!swarm_is_here(swarm, &task))
		return refuse(swarm, &task, err);
	/* What the node publishes is called otherwise in the container. */
	if (task.is_published)
		there.port = jobdir_port(job);
	return docker_carry(swarm->engine, task.container, DOCKER_BUNDLE, &there, err);
}

/* Whether this task is meant. */
static bool is_chosen(const struct job *job, uint64_t rank)
{
	return job->only[0] == '\0' || indices_have(job->only, rank);
}

/* Does it to the container of each rank that runs; the first failure is reported. */
static int for_each(struct swarm *swarm, const struct job *job,
		    int (*act)(struct engine *engine, const char *container, const void *arg,
			       struct err *err),
		    const void *arg, struct err *err)
{
	int result = 0;

	for (uint64_t rank = 0; job_next_rank(job, rank, &rank); rank++) {
		cleanup_free char *container = NULL;
		struct err own;

		if (!is_chosen(job, rank))
			continue;
		if (swarm_find_container(swarm, job, rank, &container, &own) < 0) {
			if (own.kind == ERR_NOT_FOUND)
				continue;
		} else if (act(swarm->engine, container, arg, &own) == 0 ||
			   own.kind == ERR_NOT_FOUND || own.kind == ERR_EXISTS) {
			continue; /* it is gone, or has ended */
		}
		if (result == 0)
			err_set(err, own.kind, "%s", own.text);
		result = -1;
	}
	return result;
}

static int send_one(struct engine *engine, const char *container, const void *arg, struct err *err)
{
	cleanup_free char *what = str_printf("kill?signal=%s", (const char *)arg);

	return docker_post(engine, container, what, err);
}

int swarm_signal(struct swarm *swarm, const struct job *job, const char *signal, struct err *err)
{
	return for_each(swarm, job, send_one, signal, err);
}

struct delivery {
	const char *name;
	struct span content;
};

/* In one step, and as whoever the container runs as. */
static int put_one(struct engine *engine, const char *container, const void *arg, struct err *err)
{
	static const char script[] = "umask 077 && cat >\"$1.new\" && mv \"$1.new\" \"$1\"";
	const struct delivery *delivery = arg;
	cleanup_free char *path = str_printf(SWARM_JOB_DIR "/%s", delivery->name);
	const char *argv[] = { DOCKER_BUNDLE "/busybox", "sh", "-c", script, "sh", path, NULL };
	const struct docker_question question = { .argv = argv, .input = delivery->content };
	cleanup(buf_finish) struct buf answer = BUF_INIT(FILE_MAX);

	return docker_ask(engine, container, &question, &answer, err);
}

int swarm_deliver(struct swarm *swarm, const struct job *job, const char *name, struct err *err)
{
	cleanup_free char *path = fs_join(job->directory, name);
	cleanup(buf_wipe) struct buf content = BUF_INIT(FILE_MAX);
	struct delivery delivery = { .name = name };

	if (fs_read_file(path, FILE_MAX, &content, err) < 0)
		return -1;
	delivery.content = buf_span(&content);
	return for_each(swarm, job, put_one, &delivery, err);
}
