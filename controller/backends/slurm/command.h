/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Running Slurm's commands: a deadline, the environment they need, and what their complaints mean.
 */

#include "controller/backends/backend.h"
#include "controller/run/child.h"

#define SLURM_TIMEOUT_MS 60000

/* Makes squeue and sacct print times as seconds since the epoch; NULL-terminated. */
extern const char *const slurm_environment[];

/*
 * Runs a command of Slurm at the site of the backend and reads what it prints. A refusal is an
 * error of its own words, whose kind follows from them: ERR_UNAVAILABLE when no controller answers
 * (or the command is not here), ERR_DENIED, ERR_NOT_FOUND, else ERR_INVALID; with advice where
 * there is some. env adds variables, or is NULL; child_finish() what is returned.
 */
int slurm_run(const struct backend *backend, const char *const *argv, const char *const *env,
	      struct child *ret, struct err *err) attr_must_use;

/* The same of one that child_start() has begun here; reads along as child_follow(). */
int slurm_follow(struct running *running, const char *program, const struct child_reader *reader,
		 struct child *ret, struct err *err) attr_must_use;

/* Sets the error that a complaint of a command is, and returns -1. */
int slurm_explain(const char *why, struct err *err);

/*
 * Splits a line of what they print at '|', in place; the last field is what is left of it. False
 * when there are fewer than len fields.
 */
bool slurm_split(char *line, char **fields, int len) attr_must_use;
