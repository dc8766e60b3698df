/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the command line asks for, worked out and allocated to the last byte before anything is
 * started: after the first fork nothing is allocated any more. A plan points into itself and is not
 * copied.
 */

#include <stdbool.h>

#include "init/base/cleanup.h"
#include "init/base/err.h"

#define PLAN_TUNNEL_ARGS 8
#define PLAN_NUMBER_SIZE 16

struct plan {
	char **command; /* argv of the command, with room for one more; borrowed from main's */
	uint64_t grace_ns;
	unsigned int rank;
	bool verbose;

	/* Only with a job directory, else NULL. */
	char *dir;
	char *status_path;
	char *tunnel_path; /* NULL: there is no tunnel */
	char *tunnel_log;
	char *tunnel_argv[PLAN_TUNNEL_ARGS + 1];

	/* Members of tunnel_argv; the command's process id is filled in when it is known. */
	char rank_arg[PLAN_NUMBER_SIZE], pid_arg[PLAN_NUMBER_SIZE];
};

void plan_finish(struct plan *plan);
DEFINE_CLEANUP_VALUE(struct plan, plan_finish)

enum plan_result {
	PLAN_RUN,
	PLAN_DONE /* --help or --version: all is said */
};

/*
 * Fills an all-zero plan from the command line and SLURM_PROCID. Returns a plan_result, or -1;
 * whatever it returns, the plan has to be finished.
 */
int plan_make(int argc, char **argv, struct plan *plan, struct err *err) attr_must_use;
