/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The tasks of an array: what squeue and sacct say of them in lines of one task or of many
 * ("123_4", "123_[5-9]"), and what they left in the job directory. No I/O but the status files.
 */

#include "controller/backends/slurm/list.h"
#include "controller/model/run.h"

/*
 * Gives the tasks that the line is about what it says; those that have ended keep what they have.
 */
void slurm_runs_take(struct run_list *runs, const char *tasks, const struct observation *seen);

/* Whether a task has not ended and nobody has told about it. */
bool slurm_runs_miss_any(const struct run_list *runs);

/* Whether slurm_runs_add_status() will look at status files. */
bool slurm_runs_want_status(const struct run_list *runs);

/*
 * What Slurm does not tell: the signal and the use of tasks that ended, the end of forgotten ones.
 */
void slurm_runs_add_status(struct site *site, const struct job *job, struct run_list *runs);
