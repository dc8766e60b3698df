/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Running Slurm's commands: a deadline, the environment they need, and what their complaints mean.
 */

#include "controller/run/child.h"

/* Makes squeue and sacct print times as seconds since the epoch; NULL-terminated. */
extern const char *const slurm_environment[];

/*
 * Runs a command of Slurm and reads what it prints. A refusal is an error of its own words, whose
 * kind follows from them: ERR_UNAVAILABLE when no controller answers (or the command is not here),
 * ERR_DENIED, else ERR_INVALID. env adds variables, or is NULL; child_finish() what is returned.
 */
int slurm_run(const char *const *argv, const char *const *env, struct child *ret, struct err *err)
	attr_must_use;
