/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Signalling, holding, releasing, requeueing and changing jobs.
 */

#include "controller/model/act.h"
#include "controller/ops/controller.h"

/*
 * Does this to all of the jobs. First it is looked how they are, and none is touched unless it can
 * be done to each: ERR_UNAVAILABLE for a job in the wrong state, ERR_UNSUPPORTED when its backend
 * cannot. Then every one is tried, and the first failure is reported.
 *
 * ACT_RELEASE has two meanings, by how the job is: one that waits may start, and one that is kept
 * after the end of its command ends.
 */
int ops_act(struct controller *c, const struct act *act, struct job_list *jobs, struct err *err)
	attr_must_use;
