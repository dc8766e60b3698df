/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * status.RANK.json: what became of the command, for the controller to read at any time. It is
 * written atomically, at the start and at the end, by a child process: the file system may be full,
 * gone, or hang for minutes, and none of that may keep us from our duties. At most one such child
 * exists, so that an old state never replaces a newer one.
 *
 * The children also count whom the kernel killed for want of memory (oom.h), first at the start and
 * then at the end. The tunnel, which the kernel is told to prefer, does not count: as many kills as
 * the tunnel had are left out.
 */

#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "init/base/span.h"

struct status {
	const char *path; /* NULL: nothing is written */
	unsigned int rank;
	pid_t pid, init_pid;
	struct timespec started, ended;
	bool has_ended;
	struct timespec hold_until; /* all-zero: it is not held */
	siginfo_t how;		    /* from waitid(2), when it has ended */
	/* Of the command and all descendants that were waited for, as time(1) has it. */
	struct rusage usage;
	unsigned int tunnel_restarts;
	unsigned int tunnel_kills; /* how often the tunnel ended by SIGKILL */
	bool timed_out;		   /* its time limit passed */
	bool oom_killed;	   /* the kernel killed one of the job for want of memory */

	struct status_memory *memory;
	pid_t writer;  /* 0: none */
	bool is_stale; /* has to be written again when the writer is done */
};

/*
 * Prepares what the writers share among each other: what the first one found out is not lost with
 * it. Before the first fork.
 */
void status_init(struct status *s);

/* The text of the file; returns its length, which is less than STATUS_TEXT_MAX. */
#define STATUS_TEXT_MAX 640
size_t status_format(const struct status *s, char *ret, size_t size);

/* Sees to it that the present state is written. */
void status_write(struct status *s);

/* A child ended: false when it was not the writer. */
bool status_on_exit(struct status *s, const siginfo_t *ended);
