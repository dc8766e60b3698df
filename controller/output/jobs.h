/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Jobs as text: a table for people, values and names for programs. The time is given, so that what
 * comes out depends on nothing else.
 */

#include <jansson.h>

#include "controller/model/job.h"
#include "controller/output/output.h"

int output_jobs(const struct job_list *jobs, const struct output *output, struct err *err)
	attr_must_use;

/* The documented members of one job; json_decref() it. */
json_t *output_job_value(const struct job *job);
