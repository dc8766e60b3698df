/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * One look at what a job uses: all processes below a given one, and the cgroup that they are in.
 * Reading takes about ten microseconds a process and may wait for the kernel's locks: it is done in
 * a thread of its own and touches nothing but its arguments.
 *
 * The two views differ. The tree is the job wherever it runs. The cgroup also knows the page cache,
 * what is over, and limits; but without a scheduler that makes one for the job it is that of the
 * whole session, so that it is told apart.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "init/base/span.h"

#define STAT_PROCESSES_MAX 65536

struct stat_source {
	const char *proc;   /* "/proc" */
	const char *cgroup; /* "/sys/fs/cgroup" */
	pid_t root;	    /* of the tree; counted as well */
};

/* UINT64_MAX: not known, or no limit. */
struct stat_cgroup {
	int version; /* 0: none is seen; 1 or 2 */
	uint64_t cpu_ns, memory, memory_peak, memory_max, read, written, processes;
};

struct stat_sample {
	double time;	       /* seconds since the epoch */
	uint64_t monotonic_ns; /* for rates */
	uint64_t cpu_ns;       /* since the begin, also of processes that have ended */
	uint64_t processes, threads, running, rss; /* rss in bytes; shared pages count for each */
	uint64_t read, written; /* bytes from and to disks, of living processes */
	bool truncated;		/* there were more than STAT_PROCESSES_MAX */
	struct stat_cgroup cgroup;
};

void stat_read(const struct stat_source *source, struct stat_sample *ret);
