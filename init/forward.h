/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Which of the signals that reach us are the command's, and how they get there.
 *
 * Passed on, once, to the command's process group (or the command alone, where that was asked for):
 * - whatever somebody sent: kill(2), sigqueue(3) with its value, tgkill(2), whichever the number;
 * - what the terminal tells the session or its foreground group (HUP, INT, QUIT, TSTP, CONT,
 *   WINCH), when it told us: our group and the command's are two, so that it told only us;
 * - SIGALRM of an alarm(2) that was set before we were executed is not seen here: command.c moves
 *   the timer to the command.
 * Not passed on: what the kernel raised because of something that we did, news of our children, and
 * what we sent ourselves.
 *
 * Rules can say that a signal becomes another or none. What its sender told everybody below us too
 * is not for us to pass on; witness.h knows.
 */

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "init/base/signo.h"

struct forward_rules {
	uint8_t becomes[SIGNO_LAST + 1]; /* the signal that is sent in its place; 0: none */
	bool single_child;		 /* to the command alone, not to its group */
};

/* Every signal stays what it is. */
void forward_rules_init(struct forward_rules *rules);

/* "FROM:TO", names or numbers, TO may be 0; the latest rule for FROM counts. */
bool forward_parse_rewrite(const char *text, struct forward_rules *rules) attr_must_use;

bool forward_is_due(const siginfo_t *info);

/*
 * Sends the signal to a child that has not been reaped, or to the process group that it leads. A
 * value and the first sender's identity are kept. Returns 0, or -1 with errno: EPERM when the whole
 * group belongs to somebody else now, ESRCH when nobody is left.
 */
int forward_signal(const siginfo_t *info, pid_t leader, bool single_child);

/* The part of forward_signal() for kernels before 6.9: queues to each member on its own. */
int forward_queue_each(const siginfo_t *info, pid_t leader);
