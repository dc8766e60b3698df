/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * How jobs of Slurm are: one squeue for all of them; one sacct for those that left the queue, where
 * there is accounting; for what both have forgotten, the status files in the job directories.
 */

#include "controller/backends/backend.h"

/*
 * backend_ops.expect: begins that squeue where it runs on this machine. With thousands of jobs
 * slurmctld takes longer over it than we over our records, which are read meanwhile.
 */
void slurm_expect(struct backend *backend);

/* backend_ops.observe. */
int slurm_observe(struct backend *backend, const struct job *const *jobs, size_t len,
		  struct observation *ret, struct err *err) attr_must_use;
