/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Deadlines are nanoseconds of CLOCK_MONOTONIC; CLOCK_NEVER is a deadline that does not come.
 */

#include <time.h>

#include "init/base/macro.h"

#define CLOCK_NEVER UINT64_MAX

static inline uint64_t clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}
