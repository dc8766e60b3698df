/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the kernel says about processes and cgroups (proc(5), cgroups(7), the kernel's
 * Documentation/admin-guide/cgroup-v1 and cgroup-v2), and nvidia-smi about GPUs, as numbers. These
 * texts come from the system, but a container can mount what it likes in their place: parsers take
 * anything, and what is not understood is false.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "init/base/span.h"

/* One line of /proc/PID/stat. */
struct stat_process {
	pid_t pid, parent;
	char state;	    /* 'R', 'S', 'Z' and so on */
	uint64_t cpu_ticks; /* of the process and of children that were waited for */
	uint64_t threads;
	uint64_t rss_pages;
};

bool stat_parse_process(struct span text, struct stat_process *ret) attr_must_use;

/* A file with one number; "max" is UINT64_MAX. */
bool stat_parse_number(struct span text, uint64_t *ret) attr_must_use;

/* The number behind "KEY " or "KEY: " at the begin of a line: cpu.stat, /proc/PID/io. */
bool stat_parse_member(struct span text, const char *key, uint64_t *ret) attr_must_use;

/* io.stat of version 2 and blkio.throttle.io_service_bytes of version 1, all devices together. */
void stat_parse_io(struct span text, uint64_t *ret_read, uint64_t *ret_written);

/*
 * The path of a process in /proc/PID/cgroup: in the hierarchy that has the given controller
 * (version 1), or with NULL in the one of version 2.
 */
bool stat_parse_cgroup(struct span text, const char *controller, struct span *ret) attr_must_use;

/* One line of `nvidia-smi --query-gpu=index,name,utilization.gpu,memory.used,memory.total`. */
struct stat_gpu {
	unsigned int index;
	char name[64];
	int percent;	      /* -1: it does not say */
	uint64_t used, total; /* bytes of memory */
};

/* Cuts the next line off; false at the end. Lines that are not understood are skipped. */
bool stat_next_gpu(struct span *text, struct stat_gpu *ret) attr_must_use;

/* The value of a name in the query of a path: "/stat?interval=2s". False when it is not there. */
bool stat_query(const char *path, const char *name, struct span *ret) attr_must_use;
