/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The database of jobs: one SQLite file in the user's state directory. What the scheduler forgets,
 * we remember here.
 *
 * Several berth processes use it at once: it is in WAL mode with a busy timeout, every change is
 * one statement or one immediate transaction, and a record that has ended stays as it ended,
 * whatever a slower process still believes. Numbers (job-7) are never used twice. The schema has a
 * version (user_version); an older file is migrated on opening, a newer one is refused.
 *
 * A change survives that its process is killed. It is not forced to the disk, which takes as long
 * as a submission: a power cut may take back the changes of the last seconds, whole ones, and
 * leaves the file sound. A job that was handed over in these is known to the scheduler alone.
 */

#include "controller/model/run.h"
#include "init/base/err.h"

struct store;

/*
 * A store that is opened by the first question: not everybody has one, and some have better things
 * to do first. That fails as store_open() does.
 */
struct store *store_new(const char *path);
/* Creates the file (0600) when it is not there; its directory must exist. */
int store_open(const char *path, struct store **ret, struct err *err) attr_must_use;
/* Where much was written, a child that nobody waits for goes on with the file for a moment. */
struct store *store_close(struct store *store);
DEFINE_CLEANUP(struct store, store_close)

/*
 * Many changes as one, which is faster by far and is seen by others at once. Between these two
 * nobody else can write: ask no one in between. When committing fails, nothing was written.
 */
int store_begin(struct store *store, struct err *err) attr_must_use;
int store_commit(struct store *store, struct err *err) attr_must_use;

/*
 * Between these two all that is read is as it was at the first thing that is read; nothing is
 * written.
 */
int store_begin_reading(struct store *store, struct err *err) attr_must_use;
int store_end_reading(struct store *store, struct err *err) attr_must_use;

/* Records a new job and gives it its number. */
int store_add_job(struct store *store, struct job *job, struct err *err) attr_must_use;

/*
 * Writes what can change about a job. A job that is recorded as ended keeps that record: then
 * nothing is written, and that is no error.
 */
int store_update_job(struct store *store, const struct job *job, struct err *err) attr_must_use;

/* These three are kept apart from updates, which other processes may be making meanwhile. */
int store_mark_cancel_requested(struct store *store, uint64_t id, struct err *err) attr_must_use;
int store_mark_collected(struct store *store, uint64_t id, struct err *err) attr_must_use;
int store_mark_seen(struct store *store, uint64_t id, uint64_t seen_ns, struct err *err)
	attr_must_use;

int store_delete_job(struct store *store, uint64_t id, struct err *err) attr_must_use;

/* ERR_NOT_FOUND when there is none. By name: the newest, on this cluster unless that is NULL. */
int store_find_by_id(struct store *store, uint64_t id, struct job *ret, struct err *err)
	attr_must_use;
int store_find_by_uid(struct store *store, const char *uid, struct job *ret, struct err *err)
	attr_must_use;
int store_find_by_name(struct store *store, const char *name, const char *cluster, struct job *ret,
		       struct err *err) attr_must_use;

/*
 * How many others have the job's name and have not ended, as far as is known, on this cluster
 * unless that is NULL; *ret_id is the newest of them, or 0.
 */
int store_count_namesakes(struct store *store, const struct job *job, const char *cluster,
			  uint64_t *ret_len, uint64_t *ret_id, struct err *err) attr_must_use;

/* The cluster of the newest job that a backend has; NULL: none has any. free() it. */
int store_find_busy_cluster(struct store *store, char **ret, struct err *err) attr_must_use;

enum store_which {
	STORE_ALL,
	STORE_OPEN,	   /* not ended */
	STORE_SINCE,	   /* not ended, or ended at or after since_ns */
	STORE_COLLECTABLE, /* ended before since_ns, and their directories are still there */
};

/* Oldest first. */
int store_list(struct store *store, enum store_which which, uint64_t since_ns, struct job_list *ret,
	       struct err *err) attr_must_use;

/*
 * The runs of a job, ordered by index and attempt: all of them, or of each task the newest. Saving
 * writes those that have changed, and takes that mark away.
 */
int store_list_runs(struct store *store, uint64_t id, bool newest, struct run_list *ret,
		    struct err *err) attr_must_use;
int store_save_runs(struct store *store, uint64_t id, struct run_list *runs, struct err *err)
	attr_must_use;

/* Small facts to remember; the value is NULL when there is none. free() it. */
int store_get_note(struct store *store, const char *key, char **ret, struct err *err) attr_must_use;
int store_put_note(struct store *store, const char *key, const char *value, struct err *err)
	attr_must_use;

/*
 * Looks at the file without changing it: whether it is whole and not of a newer version, and how
 * many jobs it knows.
 */
int store_check(const char *path, uint64_t *ret_jobs, struct err *err) attr_must_use;
