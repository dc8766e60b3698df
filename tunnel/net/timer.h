/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * One deadline in nanoseconds, on a libuv loop. uv_timer counts whole milliseconds, far too coarse
 * for pacing (BBR spaces packets by tens of microseconds), so this is a timerfd(2) watched by
 * uv_poll.
 *
 * Deadlines move later with almost every packet. Moving one later costs nothing: the timer fires at
 * the old time, sees that it is early, and arms itself again.
 */

#include <stdbool.h>
#include <uv.h>

#include "init/base/err.h"

struct timer {
	uv_poll_t poll;
	int fd;
	bool open;
	uint64_t deadline; /* what the owner wants */
	uint64_t armed;	   /* what the kernel was told */
	void (*fired)(struct timer *timer, void *owner);
	void *owner;
	void (*closed)(void *owner);
};

int timer_open(struct timer *timer, uv_loop_t *loop,
	       void (*fired)(struct timer *timer, void *owner), void *owner, struct err *err)
	attr_must_use;

/*
 * In CLOCK_MONOTONIC; CLOCK_NEVER disarms. A deadline in the past fires in the next turn of the
 * loop.
 */
void timer_set(struct timer *timer, uint64_t deadline);

/*
 * closed is called once the memory is the owner's again; at once when the timer was never opened.
 */
void timer_close(struct timer *timer, void (*closed)(void *owner));
