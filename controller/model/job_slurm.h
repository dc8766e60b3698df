/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Slurm's words for the state of a job, and what they are to us. Slurm's state is one base word
 * (RUNNING, FAILED) with flags beside it (COMPLETING, REQUEUED): newer JSON lists them all, squeue
 * prints the flag in the place of the base, sacct knows base words alone, with "by 1000" behind.
 *
 * A job is as its strongest flag says: one that is REQUEUED waits again however it ended, one that
 * is COMPLETING still holds its nodes. Without a flag it is as its base word says. Words that we do
 * not know are passed over; when none is known the state is UNKNOWN, and nothing breaks.
 */

#include "controller/model/job.h"

/*
 * Words or the two-letter codes of squeue in any case, separated by spaces, commas or '+'.
 */
enum job_state job_slurm_state(const char *words);
