/* SPDX-License-Identifier: MIT */
/* The end of a turn of the loop; see turn.h. */
#include "turn.h"

#include <assert.h>

static void on_prepare(uv_prepare_t *prepare)
{
	struct turn *turn = prepare->data;

	turn->run(turn->owner);
}

static void on_check(uv_check_t *check)
{
	struct turn *turn = check->data;

	turn->run(turn->owner);
}

void turn_open(struct turn *turn, uv_loop_t *loop, void (*run)(void *owner), void *owner)
{
	*turn = (struct turn){ .open = true, .run = run, .owner = owner };
	/* These cannot fail: they only put the handle into a list. */
	uv_prepare_init(loop, &turn->prepare);
	uv_check_init(loop, &turn->check);
	turn->prepare.data = turn;
	turn->check.data = turn;
	uv_prepare_start(&turn->prepare, on_prepare);
	uv_check_start(&turn->check, on_check);
}

static void on_closed(uv_handle_t *handle)
{
	struct turn *turn = handle->data;

	assert(turn->closing > 0);
	if (--turn->closing == 0 && turn->closed)
		turn->closed(turn->owner);
}

void turn_close(struct turn *turn, void (*closed)(void *owner))
{
	if (!turn->open) {
		if (closed)
			closed(turn->owner);
		return;
	}
	turn->open = false;
	turn->closing = 2;
	turn->closed = closed;
	uv_close((uv_handle_t *)&turn->prepare, on_closed);
	uv_close((uv_handle_t *)&turn->check, on_closed);
}
