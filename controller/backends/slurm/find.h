/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Finding a job by its batch script. A berth that is killed between sbatch's answer and its own
 * record leaves a job whose id nobody kept; but the script that Slurm runs lies in the job
 * directory, whose name is used only once.
 */

#include "controller/backends/backend.h"
#include "init/base/span.h"

/* squeue's --format: the id (of an array, that of the whole), and the path of the script. */
#define SLURM_SCRIPT_FORMAT "%F %o"

/* The id of the job with this script in such a list; false when there is none. */
bool slurm_find_script(struct span text, const char *script, char ret_id[BACKEND_ID_MAX]);

/*
 * squeue's --Format for all that are of ours: what sbatch took is known by its script, what
 * slurmrestd took, which has none with a name, by its standard input. The last path may be anything
 * but has no newline.
 */
#define SLURM_LOCATE_FORMAT "ArrayJobID:|,State:|,Name:|,STDIN:|,Command:"

/* Adds the jobs of such a list that have a directory of ours; an array is one job. */
void slurm_locate_lines(struct span text, struct job_list *ret);

/* backend_ops.locate and find. */
int slurm_locate(struct backend *backend, const char *jobs_dir, struct job_list *ret,
		 struct err *err) attr_must_use;

int slurm_find(struct backend *backend, const struct job *job, char ret_id[BACKEND_ID_MAX],
	       struct err *err) attr_must_use;
