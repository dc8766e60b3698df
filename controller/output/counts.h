/* SPDX-License-Identifier: MIT */
#pragma once

/* Numbers of jobs as text: a column for each key, and the count. */

#include "controller/model/job_count.h"
#include "controller/output/output.h"

int output_counts(const struct job_counts *counts, const struct output *output, struct err *err)
	attr_must_use;
