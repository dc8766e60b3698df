/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Why a job did not do what it was to: what the scheduler says, what the command left, and what
 * that means in words that tell what to do.
 */

#include "controller/model/job.h"
#include "controller/model/run.h"

#define FAILURE_TEXT_MAX 320

struct failure {
	struct job job; /* whose state, reason, exit and times are those of the run that failed */
	uint64_t task;	/* of an array */
	char *log;	/* the last lines that it wrote to standard error, or "" */
	char explanation[FAILURE_TEXT_MAX];
};

struct failure_list {
	struct failure *items;
	size_t len;
};

void failure_list_finish(struct failure_list *list);
DEFINE_CLEANUP_VALUE(struct failure_list, failure_list_finish)

/* An empty one at the end, which lives until the next is added; its job is job_init()'s. */
struct failure *failure_list_add(struct failure_list *list);

/* Whether something went wrong: it ended, and not well. Cancelled is not well, too. */
bool failure_is_one(enum job_state state);

/* "killed by signal 9 (Killed): ...", from the scheduler's words, the exit status and the signal. */
void failure_explain(const struct job *job, char *out, size_t size);
