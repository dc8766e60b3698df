/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Children that ended or were stopped: our own, and every orphan below us, as we are either PID 1
 * or a child subreaper (prctl(2)).
 */

#include <signal.h>
#include <sys/resource.h>

enum reap_result {
	REAP_CHILD,    /* there is news of a child */
	REAP_NONE_YET, /* children live, none has news */
	REAP_CHILDLESS /* there is nobody left */
};

/* Fetches one piece of news, and reaps the child if it has ended. Does not wait. */
enum reap_result reap_next(siginfo_t *ret, struct rusage *ret_usage);
