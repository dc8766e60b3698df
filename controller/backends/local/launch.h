/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Starts a program that outlives berth: in a session of its own, with nothing on its standard
 * input, its output in files, no descriptor of ours, default signals, and the environment and umask
 * of the caller.
 *
 *	berth --fork--> (setsid) --fork--> launcher --fork--> program
 *
 * The launcher tells berth how the start went and which process is berth-init, and notes that in
 * the job directory, for the case that berth is not there any more. With a time limit it stays to
 * enforce it; otherwise it ends at once.
 */

#include "controller/backends/local/process.h"

struct launch {
	const char *const *argv;
	const char *const *env; /* assignments added to our environment */
	size_t env_len;
	const char *workdir; /* of the program */
	const char *job_dir; /* holds stdout, stderr, and the mark of a passed limit */
	int info[2];	   /* pipe that tells the pid of berth-init; -1: it is the program itself */
	uint64_t limit_ns; /* 0: none */
};

/* The file in the job directory that says that the time limit ended the job. */
#define LAUNCH_LIMIT_MARK "time-limit"

/* The file in the job directory that says which process is berth-init (process_format()). */
#define LAUNCH_PROCESS_NOTE "process"

/* What the launcher noted, in ret; false when nothing was started there. */
bool launch_find(const char *job_dir, struct process *ret) attr_must_use;

/* Closes info[1]. A program that is gone already has start 0 and is never alive. */
int launch_detached(struct launch *launch, struct process *ret, struct err *err) attr_must_use;
