/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Keeping the job when its command has ended, so that one can look at what it left. Nothing is
 * touched meanwhile: what the command left running runs on (it is part of the scene), the tunnel is
 * kept up, only the status says "held" and until when.
 *
 * It is not for a command that was told to end: whoever cancels the job, or whose patience with it
 * is limited (a scheduler, `docker stop`), would wait for nothing.
 *
 * What a signal means while the job is held:
 *	HUP, INT, QUIT, TERM	the hold is over
 *	URG			the same; where the command still runs it is harmless, so that
 *				whoever means the hold and no more uses this one
 *	USR1			it starts anew, for the full time
 *	others			nothing
 */

#include <signal.h>
#include <stdbool.h>

#include "init/base/macro.h"

struct hold {
	uint64_t ns; /* 0: never */
	bool only_on_failure;
	uint64_t told; /* the signals that were passed on to the command; bit n - 1 is signal n */
};

/* "30m" or "30m,on-failure". */
bool hold_parse(const char *text, struct hold *ret) attr_must_use;

/* A signal was passed on to the command. */
void hold_note(struct hold *h, int signo);

/*
 * Whether the job is held now that the command has ended so, with this exit status: never after it
 * was sent SIGTERM, nor when HUP, INT or QUIT that it was sent is what ended it (also as 128 + n).
 */
bool hold_is_due(const struct hold *h, int exit_status);

enum hold_order { HOLD_GO_ON, HOLD_ANEW, HOLD_END };

enum hold_order hold_order_of(int signo);
