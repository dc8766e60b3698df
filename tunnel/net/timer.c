/* SPDX-License-Identifier: MIT */
/* Deadlines; see timer.h. */
#include "timer.h"

#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "init/base/fd.h"
#include "tunnel/net/clock.h"

static void arm(struct timer *timer, uint64_t deadline)
{
	struct itimerspec at = { 0 };

	if (deadline != CLOCK_NEVER) {
		/* All-zero would disarm. */
		at.it_value.tv_sec = (time_t)(deadline / NSEC_PER_SEC);
		at.it_value.tv_nsec = (long)MAX(deadline % NSEC_PER_SEC, 1);
	}
	timerfd_settime(timer->fd, TFD_TIMER_ABSTIME, &at, NULL);
	timer->armed = deadline;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
	struct timer *timer = poll->data;
	uint64_t count;

	(void)status;
	(void)events;
	if (read(timer->fd, &count, sizeof(count)) < 0)
		return; /* set to another time since the loop saw it */
	timer->armed = CLOCK_NEVER;
	if (timer->deadline > clock_now()) {
		arm(timer, timer->deadline);
		return;
	}
	timer->deadline = CLOCK_NEVER;
	timer->fired(timer, timer->owner);
}

int timer_open(struct timer *timer, uv_loop_t *loop,
	       void (*fired)(struct timer *timer, void *owner), void *owner, struct err *err)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	*timer = (struct timer){
		.fd = -1, .deadline = CLOCK_NEVER, .armed = CLOCK_NEVER, .owner = owner
	};
	if (fd < 0)
		return err_set_errno(err, errno, "timerfd");
	if (uv_poll_init(loop, &timer->poll, fd) < 0 ||
	    uv_poll_start(&timer->poll, UV_READABLE, on_readable) < 0) {
		close(fd);
		return err_set(err, ERR_SYSTEM, "cannot watch a timer");
	}
	timer->open = true;
	timer->fd = fd;
	timer->poll.data = timer;
	timer->fired = fired;
	return 0;
}

void timer_set(struct timer *timer, uint64_t deadline)
{
	timer->deadline = deadline;
	if (deadline < timer->armed)
		arm(timer, deadline);
}

static void on_closed(uv_handle_t *handle)
{
	struct timer *timer = handle->data;

	timer->fd = fd_close(timer->fd);
	if (timer->closed)
		timer->closed(timer->owner);
}

void timer_close(struct timer *timer, void (*closed)(void *owner))
{
	if (!timer->open) {
		if (closed)
			closed(timer->owner);
		return;
	}
	timer->open = false;
	timer->closed = closed;
	uv_poll_stop(&timer->poll);
	uv_close((uv_handle_t *)&timer->poll, on_closed);
}
