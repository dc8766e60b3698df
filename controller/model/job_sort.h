/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The order of a list of jobs: "state,-started" sorts by state, and among equals the newest start
 * comes first. Jobs that are equal in all are in the order of their numbers.
 */

#include "controller/model/job.h"
#include "init/base/err.h"

/* ERR_INVALID names a key that there is not, and those that there are. */
int job_list_sort(struct job_list *list, const char *keys, struct err *err) attr_must_use;
