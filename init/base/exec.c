/* SPDX-License-Identifier: MIT */
/* Between fork(2) and execve(2); see exec.h. */
#include "exec.h"

#include <signal.h>
#include <stddef.h>

void exec_reset_signals(void)
{
	const struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;

	/* The C library keeps some, and SIGKILL cannot be set: those calls fail, as they may. */
	for (int signal = 1; signal < _NSIG; signal++)
		sigaction(signal, &action, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}
