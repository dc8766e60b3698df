/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * How a job is, by the tasks of its service. Each rank, or index of an array, has a slot, counted
 * from 1, and in it the tasks that were tried one after another; the last one counts. A task that
 * was made for the end of a job (SWARM_NOWHERE) is none of the job's. Pure.
 */

#include "controller/backends/backend.h"
#include "controller/model/json.h"

/* Texts borrow from the JSON, and are "" when they are not there. */
struct swarm_task {
	const char *id, *service, *node, *container;
	const char *state, *desired; /* the Swarm's words */
	const char *message, *error;
	uint64_t slot; /* from 1 */
	uint64_t created_ns, changed_ns;
	uint64_t limit_s; /* of its time; 0: none */
	int64_t exit_code;
	bool is_end;	   /* made so that the others end */
	bool is_published; /* by ports of its node */
	bool is_retried;   /* when it ends, and nobody has decided about that yet */
	size_t position;   /* in the list that it was read from */
};

/* False: it is none, or not understood. */
bool swarm_read_task(const json_t *json, struct swarm_task *ret) attr_must_use;

/* The ports that its node publishes for it: an array, or NULL. */
const json_t *swarm_ports(const json_t *task);

/* The Swarm's word as a state; what failed is JOB_FAILED until more is known. */
enum job_state swarm_state(const char *word);

/* The tasks of one service: those of each slot together, in the order in which they were tried. */
struct swarm_tasks {
	struct swarm_task *items; /* borrow from the list */
	size_t len;
};

void swarm_tasks_read(const json_t *list, struct swarm_tasks *ret);
void swarm_tasks_finish(struct swarm_tasks *tasks);
DEFINE_CLEANUP_VALUE(struct swarm_tasks, swarm_tasks_finish)

/* The last that was tried in this slot, borrowed; NULL: there is none. */
const struct swarm_task *swarm_last_task(const struct swarm_tasks *tasks, uint64_t slot)
	attr_must_use;

/* In how many containers it was tried there. */
uint64_t swarm_count_attempts(const struct swarm_tasks *tasks, const struct swarm_task *last)
	attr_must_use;

/* The slot of this rank, or index of an array; false: the job has no such. */
bool swarm_slot_of_rank(const struct job *job, uint64_t rank, uint64_t *ret) attr_must_use;

/*
 * What is known of a task by itself. started_ns: of the run when it was seen to run, or 0. It is
 * told by the node's name where that is known.
 */
void swarm_observe_task(const struct swarm_task *task, uint64_t started_ns, bool is_cancelled,
			struct observation *ret);

/* It took as long as it was given: what ended it was the limit. */
void swarm_apply_limit(const struct swarm_task *task, struct observation *ret);
