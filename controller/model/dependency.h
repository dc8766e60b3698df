/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a job waits for, as schedulers write it: "afterok:123:124,afterany:125_3", "after:9+5",
 * "singleton", with ',' or '?' between. Users may name jobs there as everywhere else ("job-7",
 * "job-7_3", "train"), which schedulers do not understand; what begins with a digit is the
 * scheduler's own id, and stays.
 */

#include "init/base/buf.h"
#include "init/base/err.h"

#define DEPENDENCY_MAX (64 * 1024)

/* Appends what the scheduler calls this job. */
typedef int (*dependency_id)(void *owner, const char *job, struct buf *ret, struct err *err);

/* Appends the list with the scheduler's ids in place of names. */
int dependency_translate(const char *list, dependency_id id, void *owner, struct buf *ret,
			 struct err *err) attr_must_use;
