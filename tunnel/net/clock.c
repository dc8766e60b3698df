/* SPDX-License-Identifier: MIT */
/* Clocks; see clock.h. */
#include "clock.h"

#include <time.h>

#include "init/base/macro.h"

/*
 * The two clocks are read one after the other, and are slewed apart a little: less is not a sleep.
 */
#define WAKE_LEAST (2 * NSEC_PER_SEC)

static uint64_t read_clock(clockid_t id)
{
	struct timespec t = { 0 };

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * NSEC_PER_SEC + (uint64_t)t.tv_nsec;
}

uint64_t clock_now(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_slept(void)
{
	uint64_t monotonic = read_clock(CLOCK_MONOTONIC), boot = read_clock(CLOCK_BOOTTIME);

	return boot > monotonic ? boot - monotonic : 0;
}

double clock_wall(void)
{
	return (double)read_clock(CLOCK_REALTIME) / (double)NSEC_PER_SEC;
}

void clock_wake_init(struct clock_wake *wake, uint64_t slept)
{
	wake->slept = slept;
}

bool clock_wake_check(struct clock_wake *wake, uint64_t slept)
{
	bool woke = slept > wake->slept + WAKE_LEAST;

	/* Follow small drifts, so that they do not add up to a sleep that never was. */
	wake->slept = slept;
	return woke;
}
