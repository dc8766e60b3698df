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

/* Borrowed from the task; NULL: it has none that can be reached. */
static const char *container_of_task(struct swarm *swarm, const struct swarm_task *task,
				     struct err *err)
{
	if (strcmp(task->state, "running") != 0) {
		err_set(err, ERR_NOT_FOUND, "the task does not run");
		return NULL;
	}
	if (!swarm_is_here(swarm, task)) {
		refuse(swarm, task, err);
		return NULL;
	}
	return task->container;
}

int swarm_find_container(struct swarm *swarm, const struct job *job, uint64_t rank, char **ret,
			 struct err *err)
{
	cleanup(json_release) json_t *tasks = NULL;
	struct swarm_task task;
	const char *container;

	if (swarm_find_task(swarm, job, rank, &tasks, &task, err) < 0)
		return -1;
	container = container_of_task(swarm, &task, err);
	if (!container)
		return -1;
	*ret = str_dup(container);
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

/* What is done to a container. */
struct deed {
	int (*act)(struct engine *engine, const char *container, const void *arg, struct err *err);
	const void *arg;
};

/* A rank that does not run, or no more, has nothing done to it, and that is success. */
static int do_to_rank(struct swarm *swarm, const struct swarm_tasks *tasks, const struct job *job,
		      uint64_t rank, const struct deed *deed, struct err *err)
{
	struct err own;
	const struct swarm_task *task = swarm_task_of_rank(tasks, job, rank, &own);
	const char *container = task ? container_of_task(swarm, task, &own) : NULL;

	if ((container && deed->act(swarm->engine, container, deed->arg, &own) == 0) ||
	    own.kind == ERR_NOT_FOUND || own.kind == ERR_EXISTS)
		return 0;
	return err_set(err, own.kind, "%s", own.text);
}

/* To the container of each rank that is meant; the first failure is reported. */
static int for_each(struct swarm *swarm, const struct job *job, const struct deed *deed,
		    struct err *err)
{
	cleanup(swarm_tasks_finish) struct swarm_tasks tasks = { 0 };
	cleanup(json_release) json_t *list = NULL;
	int result = 0;

	if (swarm_list_tasks(swarm, job, &list, err) < 0)
		return -1;
	swarm_tasks_read(list, &tasks);
	for (uint64_t rank = 0; job_next_rank(job, rank, &rank); rank++) {
		if (job_means_rank(job, rank) &&
		    do_to_rank(swarm, &tasks, job, rank, deed, result == 0 ? err : NULL) < 0)
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
	return for_each(swarm, job, &(struct deed){ send_one, signal }, err);
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
	return for_each(swarm, job, &(struct deed){ put_one, &delivery }, err);
}
