/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Runs a program that brings an endpoint file up to date, once: when the job does not answer where
 * it was last, it may be elsewhere by now, or have ended. Who dials need not ask a scheduler
 * before each connection then.
 *
 *	refresher_start(&refresher, &(struct refresher_config){ loop, argv, done, me });
 *	...done(me, NULL): the file is as it should be; or why the job cannot be entered
 *	refresher_close(&refresher, closed, me);
 *
 * argv is {"/usr/bin/berth", "proxy", "--locate", "job-7", NULL}. Exit status 1 says that the job
 * cannot be entered, and the first line of its standard output why. Any other than 0 says that
 * nothing could be found out: the file is what it was.
 */

#include <uv.h>

#include "init/base/err.h"

struct refresher_config {
	uv_loop_t *loop;
	const char *const *argv;
	/* Once; why is NULL unless the job cannot be entered. */
	void (*done)(void *owner, const struct err *why);
	void *owner;
	bool is_quiet; /* what it says on standard error is nobody's */
};

struct refresher {
	uv_process_t process;
	int said; /* what it printed */
	bool was_started, is_running, is_open;
	void (*done)(void *owner, const struct err *why);
	void (*closed)(void *owner);
	void *owner;
};

/*
 * done is called at once when the program cannot be started. It may be started again once is_open
 * is false.
 */
void refresher_start(struct refresher *refresher, const struct refresher_config *config);
/*
 * done is not called any more; a program that runs is left to itself. closed follows, or is called
 * at once.
 */
void refresher_close(struct refresher *refresher, void (*closed)(void *owner), void *owner);
