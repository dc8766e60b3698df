/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Signals are data here, never interruptions: all 64 are blocked before anything else happens and
 * are then fetched one at a time, with everything the kernel knows about each. No handler exists,
 * so that nothing runs at a time that was not chosen, and dispositions stay as they were inherited:
 * the kernel keeps a blocked signal even when it is ignored (signal(7)), so that an ignored one is
 * still ours to pass on.
 *
 * The one disposition that is changed is that of SIGCHLD. Where it was inherited as ignored the
 * kernel would reap our children itself and the command's exit status would be lost.
 *
 * The system calls are made directly: the C library hides the signals that it uses itself (32 to
 * 34), and somebody may send those too.
 */

#include <signal.h>
#include <stdbool.h>

#include "init/base/macro.h"

#define SIGNALS_LAST 64

/* What the program was started with, and what the command is started with. */
struct signals_inherited {
	uint64_t mask; /* bit n - 1 is signal n */
	bool child_ignored;
};

/* Blocks every signal and gives SIGCHLD its default disposition. */
void signals_take(struct signals_inherited *ret);

/* In a child, right before it executes the command: gives back what signals_take() took. */
void signals_restore(const struct signals_inherited *inherited);

/* In a child: nothing blocked. */
void signals_unblock(void);

/*
 * Waits for a signal until the deadline and fetches it. Returns its number, or 0 when the deadline
 * came first.
 */
int signals_wait(siginfo_t *ret, uint64_t deadline);

/*
 * Lets one signal that may be pending take its effect on us, now; it is blocked again afterwards.
 */
void signals_admit(int signo);

bool signals_is_pending(int signo);
