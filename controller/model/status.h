/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * status.RANK.json, which berth-init writes into the job directory: what the command of one rank
 * did. It is the only source of truth that survives the scheduler's memory, and it comes from a
 * file that a job can write, so that the parser accepts nothing but the documented form.
 */

#include <stdbool.h>

#include "init/base/err.h"
#include "init/base/span.h"

#define STATUS_MAX (64 * 1024)

struct status {
	unsigned int rank;
	bool exited;
	bool held;	/* the command ended, but the job is kept for somebody to look at */
	bool timed_out; /* its time limit passed */
	bool oom_killed;
	int pid;      /* of the command, as seen inside the job */
	int init_pid; /* as seen inside the job */
	uint64_t started_ns;
	uint64_t ended_ns;	/* 0 while it runs */
	uint64_t hold_until_ns; /* 0 unless it is held */
	int exit_code;		/* -1 when it has none */
	int signal;		/* that ended it, or 0 */
	uint64_t max_rss;	/* bytes, of its largest process; 0: not known */
	uint64_t cpu_ns;	/* user and system */
};

int status_parse(struct span json, struct status *ret, struct err *err) attr_must_use;
