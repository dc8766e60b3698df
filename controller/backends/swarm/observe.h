/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * How jobs are, in two requests for all of them: which services there are, and their tasks. Of
 * tasks that ended on the node of the engine that is asked, that tells more: when they really
 * started, and whether memory ran out.
 */

#include "controller/backends/swarm/task.h"
#include "controller/backends/docker/engine.h"

/* What is known about the cluster, and asked once. */
struct swarm {
	struct engine *engine;
	char *self;    /* the node that the engine is */
	json_t *nodes; /* names by ids */
};

void swarm_finish(struct swarm *swarm);

/* Finds out which node the engine is; ERR_UNAVAILABLE when it is no manager. */
int swarm_greet(struct swarm *swarm, struct err *err) attr_must_use;

/* The name of a node, its id when it has none. Borrowed until the next call. */
const char *swarm_node_name(struct swarm *swarm, const char *id);

/* As backend_ops.observe. */
int swarm_observe_jobs(struct swarm *swarm, const struct job *const *jobs, size_t len,
		       struct observation *ret, struct err *err) attr_must_use;

/* The tasks of the job's service, for swarm_tasks_read(). */
int swarm_list_tasks(struct swarm *swarm, const struct job *job, json_t **ret, struct err *err)
	attr_must_use;

/* The one that is this rank, or index of an array, now; NULL and ERR_NOT_FOUND: there is none. */
const struct swarm_task *swarm_task_of_rank(const struct swarm_tasks *tasks, const struct job *job,
					    uint64_t rank, struct err *err);

/*
 * The task that is this rank, or index of an array, now, whose texts borrow from *ret_tasks, which
 * the caller releases. ERR_NOT_FOUND: there is none.
 */
int swarm_find_task(struct swarm *swarm, const struct job *job, uint64_t rank, json_t **ret_tasks,
		    struct swarm_task *ret, struct err *err) attr_must_use;

/* Whether its container is one of the engine's own. */
bool swarm_is_here(const struct swarm *swarm, const struct swarm_task *task);

/* Brings what berth-init wrote from its container, which is one of the engine's own, to here. */
int swarm_fetch_status(struct swarm *swarm, const struct job *job, unsigned int rank,
		       const struct swarm_task *task, struct err *err) attr_must_use;
