/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Processes as /proc shows them (proc(5)), read without allocating. Every answer is a snapshot: a
 * process is identified by its number together with its start time, and whoever acts on one checks
 * that both still belong together.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "init/base/span.h"

struct proc_stat {
	pid_t pid, parent, group;
	uint64_t start; /* clock ticks since boot */
};

/* Whether /proc is mounted and numbers processes as we do: it may show another PID namespace. */
bool proc_is_usable(void);

/* The text of /proc/PID/stat. A process may call itself anything, also ") R 1 (". */
bool proc_parse_stat(struct span text, struct proc_stat *ret);

/* False when there is no such process, or it may not be seen. */
bool proc_read_stat(pid_t pid, struct proc_stat *ret);

/* Calls visit for each entry of a directory whose name is a number, in the kernel's order. */
void proc_each_number(const char *dir, void (*visit)(unsigned int number, void *arg), void *arg);
