/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Single tasks of arrays. The calls of the API take whole jobs, and of an array the number that
 * Slurm gave to one task ends nothing; but steps can be attached to it. So a task is ended, and
 * sent a signal, by scancel in a step of a task that runs, whichever that is. It has to have a
 * number, which the server tells of what is in Slurm's queue.
 */

#include "controller/backends/backend.h"

/* Ends the tasks of job->only; those that have ended already are success. */
int firecrest_cancel_tasks(struct backend *backend, const struct job *job, struct err *err)
	attr_must_use;

/* The number of a task that runs, to which steps can be attached; ERR_UNAVAILABLE: none does. */
int firecrest_find_running(struct backend *backend, const struct job *job, char ret[BACKEND_ID_MAX],
			   struct err *err) attr_must_use;
