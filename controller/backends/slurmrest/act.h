/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What can be done to jobs through slurmrestd: ending, signalling and changing them, one job a
 * call. Since v0.0.39 a signal can be for the batch script alone, as `scancel --batch` sends it;
 * v0.0.38 sends it to all processes of the job.
 */

#include "controller/backends/slurmrest/call.h"

/* Members of the backend; see backend.h. */
int slurmrest_cancel(struct backend *backend, const struct job *const *jobs, size_t len,
		     struct err *err);
int slurmrest_act(struct backend *backend, const struct act *act, const struct job *const *jobs,
		  size_t len, struct err *err);
int slurmrest_release(struct backend *backend, const struct job *job, struct err *err);
