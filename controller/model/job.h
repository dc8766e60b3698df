/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The job record and its one state model.
 *
 * A job has a number of our own (job-7), a uid that names its directory and is never reused, and
 * the scheduler's id for it. Its state is one of ten words; the scheduler's own word and reason are
 * kept beside it, so that nothing is lost in translation. A word that we do not know is UNKNOWN and
 * breaks nothing.
 *
 * DEFINED      recorded, not yet handed to the backend
 * QUEUED       the backend has it and it waits
 * STARTING     resources are being prepared
 * RUNNING      the command runs
 * SUCCEEDED    the command ended with status 0
 * FAILED       the command ended otherwise, or its node did
 * TIMEOUT      its time limit ended it
 * CANCELLED    somebody ended it
 * PREEMPTED    the scheduler took its place away
 * UNKNOWN      nobody can tell: the scheduler forgot it and it left no status behind
 *
 * This is plain data: no I/O here.
 */

#include <stdbool.h>

#include "init/base/alloc.h"
#include "init/base/cleanup.h"
#include "init/base/err.h"

/*      name       ended */
#define JOB_STATES(X)      \
	X(DEFINED, false)  \
	X(QUEUED, false)   \
	X(STARTING, false) \
	X(RUNNING, false)  \
	X(SUCCEEDED, true) \
	X(FAILED, true)    \
	X(TIMEOUT, true)   \
	X(CANCELLED, true) \
	X(PREEMPTED, true) \
	X(UNKNOWN, false)

enum job_state {
#define X(name, ended) JOB_##name,
	JOB_STATES(X)
#undef X
};

#define JOB_NO_EXIT_CODE (-1)

/*
 * Times are nanoseconds since the epoch, 0 for "not yet" or "not known". Strings are never NULL in
 * a record that job_init() made.
 */
struct job {
	uint64_t id;	 /* N of job-N; 0 until it is recorded */
	char *uid;	 /* names the job directory and its key file */
	char *name;	 /* the user's name for it, or "" */
	char *cluster;	 /* where, as the configuration calls it: "local", "daint" */
	char *backend;	 /* "local", "slurm" */
	char *native_id; /* the scheduler's id, or "" */
	char *directory; /* the job directory, absolute */
	char *command;	 /* the command as one line, for people */
	char *queue;	 /* partition that was asked for, then the one it is in; or "" */
	char *jobset;	 /* the user's name for jobs that belong together, or "" */
	char *user;	 /* whose it is */
	char *node_list; /* where it runs or ran, as hostlist.h reads it, or "" */
	char *array;	 /* indices of its tasks, as indices.h reads them, or "": one job */
	char *only;	 /* tasks of the array that alone are meant, or ""; never recorded */
	bool of_rank;	 /* one rank alone is meant, to be looked at; never recorded */
	unsigned int rank;
	char *origin; /* how it came here: "" submitted, or one of JOB_ATTACHED, ... */
	enum job_state state;
	char *native_state; /* the scheduler's own word, or "" */
	char *reason;	    /* why it waits or how it ended, or "" */
	int exit_code;	    /* JOB_NO_EXIT_CODE when there is none */
	int signal;	    /* that ended the command, or 0 */
	uint64_t created_ns;
	uint64_t started_ns;
	uint64_t ended_ns;
	uint64_t seen_ns; /* when the backend last told us about it */
	uint64_t nodes;
	uint64_t tasks; /* ranks, each with a tunnel; of an array, those of each of its tasks */
	uint64_t expires_ns; /* when the key of an imported one is of no use any more, or 0 */
	uint64_t attempts;   /* how often it was started; 0: not yet, or not known */
	bool cancel_requested;
	bool collected; /* its directory is gone */
	/* Where texts that came together lie (job_place_text()), or NULL; and its bytes. */
	char *texts;
	size_t texts_size;
};

void job_init(struct job *job);	  /* empty strings, DEFINED, no exit code */
void job_finish(struct job *job); /* frees; the record is all-zero afterwards */
DEFINE_CLEANUP_VALUE(struct job, job_finish)

#define JOB_ATTACHED "attached" /* submitted elsewhere, through the same scheduler */
#define JOB_IMPORTED "imported" /* from a file: its scheduler may not be reachable from here */
#define JOB_ADOPTED "adopted"	/* a container that berth did not start, and never ends */
bool job_is_imported(const struct job *job);
bool job_is_adopted(const struct job *job);
/* Its directory was made here, and is ours to remove. */
bool job_is_ours(const struct job *job);

/* Whether it has the form of a uid: 8 and 16 hexadecimal digits. */
bool job_is_uid(const char *text);

/* Replaces a string of the record, which may be what it was: job_set(&job, name, "train"). */
#define job_set(job, member, text) job_set_member((job), &(job)->member, (text))
void job_set_member(struct job *job, char **member, const char *text);

/*
 * Strings of a record that are read together lie in one block, job->texts, which has
 * JOB_TEXT_SIZE(len) bytes for each of them. Puts the next one there, and moves *at behind it. What
 * lies within the block goes with it, and every other string of the record is freed on its own, so
 * that the record is as any other then.
 */
#define JOB_TEXT_SIZE(len) ((len) + 1)
char *job_place_text(char **at, const void *bytes, size_t len);

struct job_list {
	struct job *items;
	size_t len;
};

void job_list_finish(struct job_list *list);
DEFINE_CLEANUP_VALUE(struct job_list, job_list_finish)

/* Moves the record to the end of the list; *job is all-zero afterwards. */
void job_list_take(struct job_list *list, struct job *job);

const char *job_state_word(enum job_state state);
enum job_state job_state_parse(const char *word); /* UNKNOWN for a foreign word */
bool job_state_is_ended(enum job_state state);

/* "exit status 3", "signal 9 (Killed)", the reason, or "": what explains the end of a job. */
void job_explain_end(const struct job *job, char *out, size_t size);

/*
 * Ranks are counted from 0 through all of a job: rank r of the task with index i of an array is
 * i * tasks + r, with gaps where the indices have some. An array of single processes has its
 * indices for ranks. They name the files and the keys of a rank, and fit into 31 bits
 * (JOB_RANK_MAX), as berth-init has them.
 *
 * job_next_rank() gives the lowest that is not below `from`.
 */
#define JOB_RANK_MAX INT32_MAX
bool job_is_array(const struct job *job);
bool job_has_rank(const struct job *job, uint64_t rank);
bool job_next_rank(const struct job *job, uint64_t from, uint64_t *ret);

/* Whether ranks of an array with these indices and so many ranks in each task are that low. */
bool job_ranks_fit(const char *array, uint64_t tasks);

/* How many there are, in those tasks of an array that are meant. */
uint64_t job_count_ranks(const struct job *job);

/* The first rank of a task, and the index of the task that a rank is in; 0 of what is no array. */
uint64_t job_first_rank(const struct job *job, uint64_t task);
uint64_t job_task_of_rank(const struct job *job, uint64_t rank);

/* Whether the job stands for this rank, too: not when other tasks alone are meant. */
bool job_means_rank(const struct job *job, uint64_t rank);

/* ERR_NOT_FOUND, with those that there are, when it is not one of them. */
int job_check_rank(const struct job *job, uint64_t rank, struct err *err) attr_must_use;
int job_check_task(const struct job *job, uint64_t task, struct err *err) attr_must_use;

/*
 * "job-7", or "job-7_3" or "job-7_[0-4]" when only tasks are meant, or as job_rank_label() when one
 * rank is, in a buffer of JOB_LABEL_SIZE.
 */
#define JOB_LABEL_SIZE 64
void job_label(const struct job *job, char out[JOB_LABEL_SIZE]);

/* "job-7.3"; of an array "job-7_3", or "job-7_3.1" where its tasks have several ranks. */
void job_rank_label(const struct job *job, uint64_t rank, char out[JOB_LABEL_SIZE]);
