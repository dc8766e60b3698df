/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What can be done to jobs of Slurm: scancel ends and signals them, scontrol does the rest. Many
 * jobs are one command (SLURM_ACT_JOBS_MAX at most, for the length of its words).
 */

#include "controller/backends/backend.h"
#include "controller/run/argv.h"

#define SLURM_ACT_JOBS_MAX 4000

/*
 * "123", or "123_[3,5-7]" when only these tasks of an array are meant; one has no brackets. free()
 * it.
 */
char *slurm_id(const struct job *job);

/* Members of the backend; see backend.h. */
int slurm_cancel(struct backend *backend, const struct job *const *jobs, size_t len,
		 struct err *err);
int slurm_act(struct backend *backend, const struct act *act, const struct job *const *jobs,
	      size_t len, struct err *err);
int slurm_release(struct backend *backend, const struct job *job, struct err *err);

/*
 * The command for this act; for a signal, all of the jobs have one task, or all have more: the one
 * task is the batch script, others are steps that it starts (slurm_write_script()). Tasks of an
 * array that are sent one are those of a single job, and run.
 */
void slurm_add_act(struct argv *argv, const struct act *act, const struct job *const *jobs,
		   size_t len);
