/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The scheduler's queue: jobs that wait or run, whoever's they are, and what follows from all of
 * them together: how long queues are, and where a job stands.
 *
 * Several tasks of an array that wait alike are one entry, whose count tells how many.
 */

#include "controller/model/job.h"

#define QUEUED_ID_SIZE 24
#define QUEUED_FACTORS_MAX 12
#define QUEUED_FACTOR_SIZE 24

struct queued {
	char id[QUEUED_ID_SIZE]; /* of the job, or of the array */
	char *tasks;		 /* of the array, as indices.h reads them, or "" */
	char *queues;		 /* separated by commas: a job may wait in several */
	char *reason;		 /* the scheduler's word why it waits, or "" */
	char *dependency;
	char *nodes; /* where it runs, or is expected to; or "" */
	enum job_state state;
	uint64_t count;
	uint64_t cpus; /* of each */
	uint64_t priority;
	uint64_t submitted_ns;
	uint64_t eligible_ns; /* since when it may start; 0: it may not yet */
	uint64_t start_ns;    /* when it began, or is expected to; 0: not known */
};

struct queued_list {
	struct queued *items;
	size_t len;
};

void queued_list_finish(struct queued_list *list);
DEFINE_CLEANUP_VALUE(struct queued_list, queued_list_finish)

/* Moves the entry to the end of the list; *entry is all-zero afterwards. */
void queued_list_take(struct queued_list *list, struct queued *entry);

/* The entry of this job (of an array: of the task that is meant), a waiting one first; or NULL. */
const struct queued *queued_list_find(const struct queued_list *list, const struct job *job);

/* Whether it waits for its turn, and not for somebody or something else. */
bool queued_is_in_line(const struct queued *entry);

/*
 * How many jobs are in line in its first queue, and which of them the entry is, from 1: the
 * scheduler takes the highest priority first, of equal ones the older. 0 when it is not in line.
 */
uint64_t queued_position(const struct queued_list *list, const struct queued *entry,
			 uint64_t *ret_of);

/* What is true of a queue altogether. Jobs that wait in several count in each. */
struct queue_report {
	char *name;
	char *state;	  /* of the queue */
	uint64_t waiting; /* jobs in line */
	uint64_t blocked; /* held, too early, or dependent on others */
	uint64_t running;
	uint64_t cpus_waiting, cpus_running;
	uint64_t oldest_ns; /* since when the one in line that waits longest may start */
	uint64_t next_ns;   /* the first expected start */
};

struct queue_report_list {
	struct queue_report *items;
	size_t len;
};

void queue_report_list_finish(struct queue_report_list *list);
DEFINE_CLEANUP_VALUE(struct queue_report_list, queue_report_list_finish)

/* A queue without jobs, at the end; it lives until the next is added. */
struct queue_report *queue_report_list_add(struct queue_report_list *list, const char *name,
					   const char *state);

/* Adds the jobs to the queues of the list; those of other queues are passed over. */
void queue_report_count(struct queue_report_list *list, const struct queued_list *jobs);

/* What a priority is made of; factors that are 0 are left out. */
struct priority {
	struct {
		char name[QUEUED_FACTOR_SIZE];
		int64_t value;
	} factors[QUEUED_FACTORS_MAX];
	size_t len;
};

/* A job and how it stands. Strings are borrowed from job and list. */
struct job_report {
	const struct job *job;
	const struct queued *entry; /* NULL: the scheduler does not have it in its queue */
	uint64_t position, of;
	struct priority priority;
	const char *explanation; /* why it waits, in words; or NULL */
};

/* What the scheduler's reason (or "") means, in words, and what to do; NULL: we do not know it. */
const char *queued_explain(const char *reason);
