/* SPDX-License-Identifier: MIT */
/* Blocking and fetching signals; see signals.h. */
#include "signals.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"

/* The kernel's signal set; the C library's type is larger. */
#define SET_SIZE sizeof(uint64_t)

static const uint64_t set_all = UINT64_MAX;

static uint64_t set_of(int signo)
{
	return UINT64_C(1) << (signo - 1);
}

static void set_mask(uint64_t mask, uint64_t *ret_old)
{
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, ret_old, SET_SIZE);
}

void signals_take(struct signals_inherited *ret)
{
	const struct sigaction ordinary = { .sa_handler = SIG_DFL };
	struct sigaction child = { .sa_handler = SIG_DFL };

	set_mask(set_all, &ret->mask);
	sigaction(SIGCHLD, &ordinary, &child);
	ret->child_ignored = child.sa_handler == SIG_IGN;
}

void signals_restore(const struct signals_inherited *inherited)
{
	const struct sigaction ignored = { .sa_handler = SIG_IGN };

	if (inherited->child_ignored)
		sigaction(SIGCHLD, &ignored, NULL);
	set_mask(inherited->mask, NULL);
}

void signals_unblock(void)
{
	set_mask(0, NULL);
}

int signals_wait(siginfo_t *ret, uint64_t deadline)
{
	for (;;) {
		struct timespec left = { 0 };
		long signo;

		if (deadline != CLOCK_NEVER) {
			uint64_t now = clock_now(), ns = deadline > now ? deadline - now : 0;

			left.tv_sec = (time_t)(ns / NSEC_PER_SEC);
			left.tv_nsec = (long)(ns % NSEC_PER_SEC);
		}
		signo = syscall(SYS_rt_sigtimedwait, &set_all, ret,
				deadline == CLOCK_NEVER ? NULL : &left, SET_SIZE);
		if (signo > 0)
			return (int)signo;
		if (errno == EAGAIN)
			return 0;
		/*
		 * Otherwise we were stopped and continued, and wait for what is left of the time.
		 */
	}
}

void signals_admit(int signo)
{
	set_mask(set_all & ~set_of(signo), NULL);
	set_mask(set_all, NULL);
}

bool signals_is_pending(int signo)
{
	uint64_t pending = 0;

	syscall(SYS_rt_sigpending, &pending, SET_SIZE);
	return pending & set_of(signo);
}
