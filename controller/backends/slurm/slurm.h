/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Slurm, by its own commands on this machine or a login node: sbatch, squeue, sacct where
 * accounting is kept, scancel. The job directory and the bundle lie on a file system that the nodes
 * see ($BERTH_HOME). What the scheduler has forgotten is taken from the status files that
 * berth-init left.
 */

#include "controller/backends/backend.h"
#include "controller/backends/slurm/early.h"
#include "controller/run/child.h"

struct slurm {
	struct backend base;
	struct early early;    /* an sbatch that slurm_prepare() has begun */
	struct running *queue; /* a squeue that slurm_expect() has begun, or NULL */
};

static inline struct slurm *slurm_of(struct backend *backend)
{
	return container_of(backend, struct slurm, base);
}

/* Takes the site over. */
struct backend *slurm_backend_open(struct site *site);
