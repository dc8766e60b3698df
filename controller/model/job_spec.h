/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the record of a job says of what was asked for, read back from spec.json in its directory:
 * for a workstation that did not submit it. Foreign input, since a job can write there too.
 */

#include "controller/model/job.h"
#include "init/base/span.h"

/*
 * Sets name, command, queue, nodes, tasks and array. ERR_INVALID: it is none of ours, and the
 * record is as it was.
 */
int job_read_spec(struct job *job, struct span json, struct err *err) attr_must_use;

/* The time limit that was asked for, in nanoseconds; 0: none is known. */
uint64_t job_spec_time(struct span json);
