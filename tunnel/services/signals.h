/* SPDX-License-Identifier: MIT */
#pragma once

/* Signals by name, as SSH and our capsules have them: "TERM", without "SIG". */

#include <sys/types.h>

#include "init/base/span.h"
#include "tunnel/wire/process.h"

/* Its number, or 0 if this system has none of that name (real-time signals have no names). */
int signals_parse(struct span name);

/*
 * To a process group that begins with the process pid, a child that was not reaped. A child that is
 * so young that it has no group yet gets the signal itself.
 */
void signals_send(pid_t pid, int signal);

/*
 * Whether a process ended as all do when their job ends, by SIGTERM, SIGHUP or SIGKILL: that is
 * told a moment later, when we would know that the whole job does, and the clients hear of that
 * instead.
 */
bool signals_end_jobs(int status);

#define SIGNALS_NAME_MAX 16

/* How a process ended, from a status of waitpid(2). ret->signal points into name, or is static. */
void signals_exit(int status, char name[SIGNALS_NAME_MAX], struct process_exit *ret);
