/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What slurmrestd tells of its scheduler's work (/diag) and of the queue (/jobs). What a priority
 * is made of it does not tell.
 */

#include "controller/backends/backend.h"
#include "controller/model/json.h"

/* Of an answer; false when it has nothing of that, or is no job that waits or runs. */
bool slurmrest_read_report(const json_t *answer, struct scheduler_report *ret) attr_must_use;
bool slurmrest_read_queued(const json_t *json, struct queued *ret) attr_must_use;

/* backend_ops.report and .list_queued. */
int slurmrest_report(struct backend *backend, struct scheduler_report *ret, struct err *err)
	attr_must_use;
int slurmrest_list_queued(struct backend *backend, struct queued_list *ret, struct err *err)
	attr_must_use;
