/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * How jobs are, by slurmrestd: a few are asked about one by one, many by the list of all jobs of
 * the cluster, which has no choice of its own. What left the queue is asked of slurmdbd, where
 * slurmrestd offers it; then the status files tell, as with the commands of Slurm.
 */

#include "controller/backends/slurmrest/call.h"

/* Members of the backend; see backend.h. */
int slurmrest_observe(struct backend *backend, const struct job *const *jobs, size_t len,
		      struct observation *ret, struct err *err);
int slurmrest_find(struct backend *backend, const struct job *job, char ret_id[BACKEND_ID_MAX],
		   struct err *err);
int slurmrest_locate(struct backend *backend, const char *jobs_dir, struct job_list *ret,
		     struct err *err);
int slurmrest_list_runs(struct backend *backend, const struct job *job, struct run_list *ret,
			struct err *err);
