/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Which of the signals that reach us are the command's, and how they get there.
 *
 * Passed on, once, to the command's process group:
 * - whatever somebody sent: kill(2), sigqueue(3) with its value, tgkill(2), whichever the number;
 * - what the terminal tells the session or its foreground group (HUP, INT, QUIT, TSTP, CONT,
 *   WINCH), when it told us: our group and the command's are two, so that it told only us;
 * - SIGALRM of an alarm(2) that was set before we were executed is not seen here: command.c moves
 *   the timer to the command.
 * Not passed on: what the kernel raised because of something that we did, news of our children, and
 * what we sent ourselves.
 */

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

bool forward_is_due(const siginfo_t *info);

/*
 * Sends the signal to the process group whose leader is a child that has not been reaped. A value
 * and the first sender's identity are kept. Returns 0, or -1 with errno: EPERM when the whole group
 * belongs to somebody else now, ESRCH when nobody is left.
 */
int forward_signal(const siginfo_t *info, pid_t leader);

/* The part of forward_signal() for kernels before 6.9: queues to each member on its own. */
int forward_queue_each(const siginfo_t *info, pid_t leader);
