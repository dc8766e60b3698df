/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Job control. The command has a process group of its own, so that it is in the background of the
 * controlling terminal unless the terminal is handed to its group; and whoever waits for us (a
 * shell) sees our group, not the command's. So:
 *
 * - where our group is in the foreground, the command's group takes its place, and gives it back at
 *   the end. A program that was started in the background takes nothing;
 * - when the command is stopped by the terminal we stop too, so that the shell notices; when the
 *   shell continues us in the foreground, the command gets the terminal again (the SIGCONT itself
 *   is passed on like any other);
 * - where nobody could continue us (we are PID 1, or lead the session) the kernel lets nobody be
 *   stopped from the keyboard, and neither do we: the command is continued at once.
 */

#include <stdbool.h>
#include <sys/types.h>

struct terminal {
	int fd; /* the controlling terminal, 3 or above; -1: there is none */
};

void terminal_find(struct terminal *ret);

/*
 * Leaves the terminal to a session that the command will lead. Where it was our own session's, the
 * kernel says so with SIGHUP and SIGCONT in our own name, which are not passed on.
 */
void terminal_leave(struct terminal *ret);

bool terminal_is_foreground(const struct terminal *t);

/* Puts a process group into the foreground; may be called from the background. */
void terminal_give(const struct terminal *t, pid_t group);

/* The command, which leads its group, was stopped by this signal. */
void terminal_follow_stop(const struct terminal *t, pid_t group, int signo);

/* Everything has ended: the foreground is ours again if it belongs to nobody who still lives. */
void terminal_take_back(const struct terminal *t);
