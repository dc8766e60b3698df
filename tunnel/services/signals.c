/* SPDX-License-Identifier: MIT */
/* Signals by name; see signals.h. */
#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

int signals_parse(struct span name)
{
	for (int signal = 1; signal < __SIGRTMIN; signal++) {
		const char *known = sigabbrev_np(signal);

		if (known && span_equal_str(name, known))
			return signal;
	}
	return 0;
}

void signals_send(pid_t pid, int signal)
{
	if (kill(-pid, signal) < 0 && errno == ESRCH)
		kill(pid, signal);
}

void signals_exit(int status, char name[SIGNALS_NAME_MAX], struct process_exit *ret)
{
	const char *known;

	if (!WIFSIGNALED(status)) {
		*ret = (struct process_exit){ .status = (uint32_t)WEXITSTATUS(status) };
		return;
	}
	known = sigabbrev_np(WTERMSIG(status));
	snprintf(name, SIGNALS_NAME_MAX, "RTMIN+%d", WTERMSIG(status) - __SIGRTMIN);
	*ret = (struct process_exit){ .signalled = true,
				      .core_dumped = WCOREDUMP(status),
				      .signal = span_of_str(known ? known : name) };
}

bool signals_end_jobs(int status)
{
	/* A shell passes the signal of its last command on so. */
	int number = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status) - 128;

	return number == SIGTERM || number == SIGHUP || number == SIGKILL;
}
