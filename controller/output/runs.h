/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What `berth get job-runs` shows: the tasks of arrays and the attempts of jobs, of several jobs
 * one behind the other.
 */

#include "controller/model/run.h"
#include "controller/output/output.h"

struct runs_of_job {
	const struct job *job;
	const struct run_list *runs;
};

int output_runs(const struct runs_of_job *jobs, size_t len, const struct output *output,
		struct err *err) attr_must_use;

/* "1.5G", "" for 0: sizes for people. */
void output_format_size(uint64_t bytes, char *out, size_t size);
