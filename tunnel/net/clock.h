/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Time for the protocol engines: CLOCK_MONOTONIC in nanoseconds, which stops while the machine
 * sleeps. The peer's clock does not stop, and NAT state does not wait, so that whoever drives a
 * client connection must notice a sleep: CLOCK_BOOTTIME goes on, and the distance between the two
 * grows by the length of the sleep.
 */

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_NEVER UINT64_MAX

uint64_t clock_now(void);

/*
 * How long the machine has slept since it started, in nanoseconds: CLOCK_BOOTTIME less
 * CLOCK_MONOTONIC.
 */
uint64_t clock_slept(void);

/* Wall clock, seconds since the epoch. */
double clock_wall(void);

struct clock_wake {
	uint64_t slept;
};

void clock_wake_init(struct clock_wake *wake, uint64_t slept);
/*
 * Whether the machine slept for more than two seconds since the last call; slept is clock_slept()
 * in programs.
 */
bool clock_wake_check(struct clock_wake *wake, uint64_t slept);
