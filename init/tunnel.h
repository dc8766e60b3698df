/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * `berth-tunnel serve` beside the command: one at a time, started again with a growing wait
 * whenever it ends, whatever the reason. Nothing that can happen to it reaches the command: it has
 * a session of its own, no terminal, no descriptor of the command's, its words go to a log file.
 * The log is opened by the child: a file system that hangs holds up the tunnel, not us.
 *
 * Its memory is limited, it leaves no core, and where memory is short the kernel prefers it as a
 * victim. What users start through it has the job's own limits and rank again: the tunnel reads
 * them from us, its parent, who keep what we were started with.
 *
 * A tunnel that hangs is not noticed: there is nobody to ask whether it should have answered. It is
 * harmless: it holds nothing that the job uses, nobody waits for it but ssh, and at the end it is
 * killed when the grace is over. Sending it SIGKILL has it started anew.
 */

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "backoff.h"
#include "command.h"

struct tunnel {
	char **argv;	      /* NULL: there is none */
	const char *log;      /* its standard output and error are appended here */
	const char *endpoint; /* the file that it makes; removed before the first start, or NULL */
	const struct command_failure *failure;
	pid_t pid; /* 0: not running */
	uint64_t started, due;
	struct backoff backoff;
	unsigned int starts, kills; /* kills: how often it ended by SIGKILL */
};

/* When it has to be started, CLOCK_NEVER while it runs. */
uint64_t tunnel_due(const struct tunnel *t);

/* Starts it; a failure counts as a short run. */
void tunnel_start(struct tunnel *t, uint64_t now);

/* A child ended: false when it was not the tunnel. */
bool tunnel_on_exit(struct tunnel *t, const siginfo_t *ended, uint64_t now);

unsigned int tunnel_restarts(const struct tunnel *t);
