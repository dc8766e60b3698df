/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Signalling, holding, releasing, requeueing and changing jobs.
 */

#include "controller/model/act.h"
#include "controller/ops/controller.h"

/* Whether this can be done to a job that is as it is, as far as its state decides that. */
bool ops_act_fits(struct controller *c, const struct act *act, const struct job *job);

/*
 * Does this to all of the jobs, which have just been looked at (ops_select()). None is touched
 * unless it can be done to each: ERR_UNAVAILABLE for a job in the wrong state, ERR_UNSUPPORTED when
 * its backend cannot. Then every one is tried, and the first failure is reported.
 *
 * Of an array, a signal and the end of a hold are for the tasks that run: they are then those that
 * its record means (`only`).
 *
 * ACT_RELEASE has two meanings, by how the job is: one that waits may start, and one that is kept
 * after the end of its command ends.
 */
int ops_act(struct controller *c, const struct act *act, const struct job_list *jobs,
	    struct err *err) attr_must_use;
