/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The end of a turn of the libuv loop. While events are handled, objects only note that they have
 * something to send; run() then sends for all of them at once, in full batches. It is called after
 * the events of a turn and again before the loop sleeps, so that nothing noted is ever left lying.
 */

#include <stdbool.h>
#include <uv.h>

struct turn {
	uv_prepare_t prepare;
	uv_check_t check;
	bool open;
	unsigned int closing;
	void (*run)(void *owner);
	void *owner;
	void (*closed)(void *owner);
};

void turn_open(struct turn *turn, uv_loop_t *loop, void (*run)(void *owner), void *owner);
/* closed is called once the memory is the owner's again; at once when the turn was never opened. */
void turn_close(struct turn *turn, void (*closed)(void *owner));
