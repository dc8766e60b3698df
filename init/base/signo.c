/* SPDX-License-Identifier: MIT */
/* Signals by name; see signo.h. */
#include "signo.h"

#include <signal.h>
#include <strings.h>

#include "text.h"

#define NAME_MAX_LEN 7

static const char names[][NAME_MAX_LEN] = {
	[SIGHUP] = "HUP",   [SIGINT] = "INT",	[SIGQUIT] = "QUIT",	[SIGILL] = "ILL",
	[SIGTRAP] = "TRAP", [SIGABRT] = "ABRT", [SIGBUS] = "BUS",	[SIGFPE] = "FPE",
	[SIGKILL] = "KILL", [SIGUSR1] = "USR1", [SIGSEGV] = "SEGV",	[SIGUSR2] = "USR2",
	[SIGPIPE] = "PIPE", [SIGALRM] = "ALRM", [SIGTERM] = "TERM",	[SIGCHLD] = "CHLD",
	[SIGCONT] = "CONT", [SIGSTOP] = "STOP", [SIGTSTP] = "TSTP",	[SIGTTIN] = "TTIN",
	[SIGTTOU] = "TTOU", [SIGURG] = "URG",	[SIGXCPU] = "XCPU",	[SIGXFSZ] = "XFSZ",
	[SIGPROF] = "PROF", [SIGIO] = "IO",	[SIGVTALRM] = "VTALRM", [SIGWINCH] = "WINCH",
	[SIGPWR] = "PWR",   [SIGSYS] = "SYS",
};

bool signo_parse(const char *text, int *ret)
{
	uint64_t number = 0;

	if (text_parse_uint(text, SIGNO_LAST, &number)) {
		if (number > 0)
			*ret = (int)number;
		return number > 0;
	}
	if (strncasecmp(text, "SIG", 3) == 0)
		text += 3;
	for (int signo = 1; signo < (int)ARRAY_LEN(names); signo++) {
		if (names[signo][0] != '\0' && strncasecmp(text, names[signo], NAME_MAX_LEN) == 0) {
			*ret = signo;
			return true;
		}
	}
	return false;
}

const char *signo_word(int signo)
{
	if (signo < 1 || signo >= (int)ARRAY_LEN(names) || names[signo][0] == '\0')
		return NULL;
	return names[signo];
}
