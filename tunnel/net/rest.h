/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Memory that is given back at rest. A tunnel in a job waits for most of its life, beside a program
 * that wants the node's memory. When nothing has happened on its loop for a while, free heap
 * goes back to the kernel, and so do the mapped pages of the program's own file: they stay in the
 * page cache, and the next event maps those again that it needs, which takes a fraction of a
 * millisecond.
 *
 *	struct rest rest;
 *
 *	rest_open(&rest, loop, REST_AFTER_MS);
 *	...
 *	rest_close(&rest);    the memory is the loop's until uv_run() returned
 *
 * It wakes nobody: the timer runs out once after an event, and not again before the next one.
 */

#include <stdbool.h>
#include <uv.h>

#define REST_AFTER_MS 5000

struct rest {
	uv_timer_t timer;
	uv_check_t check;
	uint64_t after_ms;
	bool stirred;	       /* something happened since the timer was started */
	unsigned int releases; /* how often memory was given back */
};

void rest_open(struct rest *rest, uv_loop_t *loop, uint64_t after_ms);
void rest_close(struct rest *rest);
