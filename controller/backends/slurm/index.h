/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The jobs that Slurm is asked about, and what is known of each: filled by whoever reads an answer
 * of Slurm's, a line or a JSON object at a time, then from what the jobs left in their directories.
 * Finds jobs by Slurm's id, ten thousand as quickly as ten.
 */

#include "controller/backends/backend.h"

struct slurm_index {
	const struct job *const *jobs;
	struct observation *seen;
	size_t len;
	size_t *slots; /* a table of ids: places in both, counted from 1 */
	size_t mask;
	/* Each status file costs a request: those of jobs that run are not looked at. */
	bool is_dear;
};

void slurm_index_init(struct slurm_index *index, const struct job *const *jobs, size_t len,
		      struct observation *seen);
void slurm_index_finish(struct slurm_index *index);
DEFINE_CLEANUP_VALUE(struct slurm_index, slurm_index_finish)

/*
 * What Slurm says of the job with this id, or of these tasks of it (indices.h; else NULL). A job
 * that nobody asked about is passed over.
 */
void slurm_index_take(struct slurm_index *index, const char *id, const char *tasks,
		      const struct observation *seen);

/* Whether Slurm has told about it; of an array, about all tasks that have not ended. */
bool slurm_is_known(const struct observation *seen);

/* What Slurm does not tell, from the status files. */
void slurm_index_add_status(const struct slurm_index *index, struct site *site);
