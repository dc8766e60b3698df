/* SPDX-License-Identifier: MIT */
#pragma once

/* Why jobs failed. */

#include "controller/model/failure.h"
#include "controller/ops/controller.h"

#define OPS_FAILURE_LINES_MAX 1000

/*
 * Appends a failure for each of these jobs, and of an array for each task, that ended and not well;
 * with so many lines (up to the maximum) of what it wrote to standard error at last. Others are
 * passed over. A log that cannot be read is empty.
 */
int ops_list_failures(struct controller *c, const struct job_list *jobs, size_t lines,
		      struct failure_list *ret, struct err *err) attr_must_use;
