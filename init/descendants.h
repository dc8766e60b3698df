/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Everything that descends from us, whatever its session or process group: orphans of ours become
 * our children, so that every chain of parents of such a process leads to us. As PID 1 the kernel
 * knows them all (kill(2) with -1); as a subreaper /proc is read, again and again until nobody new
 * is found. Where /proc cannot be used only the process groups that are named are reached.
 */

#include <sys/types.h>

/* Sends a signal once to each, and SIGCONT after it, so that the stopped ones see it. */
void descendants_signal(int signo, const pid_t *groups, size_t len);
