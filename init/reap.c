/* SPDX-License-Identifier: MIT */
/* Reaping children; see reap.h. */
#include "reap.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum reap_result reap_next(siginfo_t *ret, struct rusage *ret_usage)
{
	siginfo_t info = { 0 };

	/* The system call tells also what the child has used, the library's waitid() does not. */
	if (syscall(SYS_waitid, P_ALL, 0, &info, WEXITED | WSTOPPED | WNOHANG | __WALL, ret_usage) <
	    0)
		return REAP_CHILDLESS;
	if (info.si_pid == 0)
		return REAP_NONE_YET;
	*ret = info;
	return REAP_CHILD;
}
