/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Waits for children by SIGCHLD on the loop. Pidfds would need one more descriptor a process and
 * Linux 5.3; clusters still run older kernels. One owner of SIGCHLD reaps every child, also those
 * that nobody asks for any more, so that no zombie stays.
 */

#include <sys/types.h>
#include <uv.h>

#include "init/base/err.h"

struct reaper_child {
	pid_t pid;
	/* Called once; the child is no longer on the list. status is that of waitpid(2). */
	void (*exited)(struct reaper_child *child, int status);
	struct reaper_child *next;
};

struct reaper {
	uv_signal_t signal;
	struct reaper_child *children;
	void (*closed)(struct reaper *reaper);
};

/* Also unblocks SIGCHLD. */
int reaper_open(struct reaper *reaper, uv_loop_t *loop, struct err *err) attr_must_use;
void reaper_close(struct reaper *reaper, void (*closed)(struct reaper *reaper));

/* pid must be a child that was started since the loop last ran. */
void reaper_add(struct reaper *reaper, struct reaper_child *child, pid_t pid,
		void (*exited)(struct reaper_child *child, int status));

/* Forgets a child; it is still reaped. Nothing happens when it was reaped already. */
void reaper_remove(struct reaper *reaper, struct reaper_child *child);
