/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * One run of a job: what a task of an array did, or one attempt of a job that was started more than
 * once. The states are those of job.h.
 *
 * Of a job that is an array we keep the runs of all its tasks, in the order of their indices; what
 * they say together is the state of the job (run_list_fold()). A run that has ended never changes.
 */

#include "controller/model/job.h"

struct run {
	uint64_t task;	  /* index in the array; 0 of a job that is none */
	uint64_t attempt; /* from 1; 0: not started yet */
	enum job_state state;
	char *native_state; /* strings are never NULL in a run that is on a list */
	char *reason;
	char *node_list;
	int exit_code; /* JOB_NO_EXIT_CODE */
	int signal;
	uint64_t started_ns;
	uint64_t ended_ns;
	uint64_t max_rss; /* bytes, of the largest process or step; 0: not known */
	uint64_t cpu_ns;  /* user and system; 0: not known */
	bool is_known;	  /* the scheduler told about it just now */
	bool has_changed; /* since it was last stored */
};

struct run_list {
	struct run *items;
	size_t len;
};

void run_finish(struct run *run);

/* Replaces a string of a run, which may be what it was. */
void run_set_text(char **member, const char *text);

void run_list_finish(struct run_list *list);
DEFINE_CLEANUP_VALUE(struct run_list, run_list_finish)

/*
 * A run at the end of the list: queued, with empty strings. It lives until the next one is added.
 */
struct run *run_list_add(struct run_list *list, uint64_t task);

/* The attempt that the record is about; what it used is not known there. */
void run_of_record(const struct job *job, struct run *run);

/* By index, in a list that is ordered by it; NULL when there is none. */
struct run *run_list_find(const struct run_list *list, uint64_t task);

/* One run, not started yet, for each task of the job's array. */
void run_list_init(struct run_list *list, const struct job *job);

/*
 * What the runs say together: RUNNING while one runs, QUEUED while one waits and none runs, ended
 * when all have; then the worst end is that of the job, with the exit code and the signal of the
 * first task that ended so.
 */
struct run_fold {
	enum job_state state;
	int exit_code;
	int signal;
	uint64_t started_ns; /* the first start */
	uint64_t ended_ns;   /* the last end, when all have ended */
	uint64_t attempts;   /* of the task that has most */
	char counts[160];    /* "2 RUNNING, 5 QUEUED"; "" when all are in one state */
};
void run_list_fold(const struct run_list *list, struct run_fold *ret);
