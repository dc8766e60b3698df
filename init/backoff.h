/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * How long to wait before something that ended is started again: 100 ms at first, twice as long
 * each time, at most 30 s. What ran for longer than that has worked, and starts over at 100 ms.
 */

#include "init/base/macro.h"

#define BACKOFF_FIRST (100 * NSEC_PER_MSEC)
#define BACKOFF_LAST (30 * NSEC_PER_SEC)

/* All-zero is the beginning. */
struct backoff {
	uint64_t last;
};

/* The wait in nanoseconds, after a run of ran nanoseconds. */
uint64_t backoff_next(struct backoff *b, uint64_t ran);
