/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the command line asks for, worked out and allocated to the last byte before anything is
 * started: after the first fork nothing is allocated any more. A plan is made once and lives as long
 * as the program.
 */

#include <stdbool.h>

#include "init/base/err.h"

struct plan {
	char **command;	      /* argv of the command */
	char **shell_command; /* room for it as a script's; see command.h */
	uint64_t grace_ns;
	unsigned int rank;
	bool verbose;

	/* Only with a job directory, else NULL. */
	const char *status_path;
	const char *tunnel_log;
	char **tunnel; /* argv of the tunnel, NULL without one; the process id is still missing */
	char *tunnel_pid_arg; /* in tunnel: where the command's process id goes */
	size_t tunnel_pid_size;
};

enum plan_result {
	PLAN_RUN,
	PLAN_DONE /* --help or --version: all is said */
};

/* Reads the command line and SLURM_PROCID. Returns a plan_result, or -1. */
int plan_make(int argc, char **argv, struct plan *ret, struct err *err) attr_must_use;
