/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Entering jobs that another workstation submitted.
 *
 * Whoever may write the job directory may let a workstation in (rekey.h), so that the same login on
 * the cluster is all that a second machine needs: the job is found by its scheduler, its directory
 * says the rest, and this machine gets a record, a key and a Host block of its own. Workstations
 * that were let in before stay.
 *
 * How that is done depends on what runs the job: attach.c has a table of methods by backend. One
 * that finds jobs elsewhere than in a job directory is a function there, and a line.
 */

#include "controller/ops/controller.h"

/*
 * operand: "[CLUSTER:]JOB", where JOB is the scheduler's id, a uid, a job's name (the newest that
 * has not ended), or job-7 for one that is known here. A job that is known here gets another key
 * instead. ERR_NOT_FOUND: the scheduler lists none of the user's; ERR_UNAVAILABLE: it has ended.
 */
int ops_attach(struct controller *c, const char *operand, struct job *ret, struct notes *notes,
	       struct err *err) attr_must_use;
