/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Notes when the logs of a job were how long (log_times.h), for `berth logs --since`: beside each
 * log, as stdout.times. The logs are the rank's own and, with rank 0, what is printed for all of
 * the job. In an array, the tasks of which have several ranks, they are stdout.7.1 for rank 1 of
 * the task with index 7, and stdout.7 for all of it.
 *
 * The kernel tells that one grows, once for each look (inotify, IN_ONESHOT): a job that prints
 * nothing wakes nobody, and one that prints much does so once in LOG_WATCH_INTERVAL_MS. A log that
 * is not there yet is looked for a few times, less and less often. Where the kernel does not tell
 * (a user has a limited number of such descriptors), they are looked at from time to time.
 *
 * A thread looks and writes, since a file system may hang, which must not stop the loop: one look
 * at a time. Nothing here fails: a log without notes is one that --since does not work for.
 */

#include <uv.h>

#include "init/base/log_times.h"

#define LOG_WATCH_INTERVAL_MS 1000
#define LOG_WATCH_BLIND_MS 10000
#define LOG_WATCH_TRIES 6
#define LOG_WATCH_FILES 4

struct log_watched {
	char *log, *notes; /* paths */
	struct log_times times;
	bool is_read;
};

struct log_watch {
	uv_work_t work;
	uv_timer_t timer;
	uv_poll_t told;
	struct log_watched files[LOG_WATCH_FILES];
	size_t len;
	int inotify;	      /* -1: nobody tells */
	unsigned int missing; /* by the last look: logs that are not there, or not watched */
	unsigned int tries;   /* to find them */
	bool looking;
	bool again; /* something has grown since the look under way began */
	bool is_closed;
};

/*
 * ranks: in each task of an array, or 0. The loop and the texts may go when log_watch_finish() is
 * called.
 */
void log_watch_open(struct log_watch *watch, uv_loop_t *loop, const char *dir, unsigned int rank,
		    unsigned int ranks);
/* Looks now, and not when the interval has passed: the job ends. */
void log_watch_look(struct log_watch *watch);
/* Closes the handles; a thread that waits for a file system may go on doing so (`looking`). */
void log_watch_close(struct log_watch *watch);
/* When the loop has ended, and nobody is looking. */
void log_watch_finish(struct log_watch *watch);
