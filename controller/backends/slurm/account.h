/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What accounting keeps of a job: each attempt, and of an array each task, with what it used. sacct
 * prints a line for each attempt ("7", "7_3") and one for each of its steps ("7.batch", "7_3.0")
 * behind it, the memory and the CPU time of which belong to the attempt. sstat tells the same of
 * steps that run.
 */

#include "controller/backends/backend.h"
#include "controller/backends/slurm/list.h"

#define SLURM_RUNS_FORMAT "JobID,State,ExitCode,Start,End,NodeList,MaxRSS,TotalCPU,Reason"
#define SLURM_RUN_FIELDS 9
#define SLURM_STAT_FORMAT "JobID,MaxRSS,AveCPU,NTasks,MaxDiskRead,MaxDiskWrite"

/* backend_ops.list_runs and .stat. */
int slurm_list_runs(struct backend *backend, const struct job *job, struct run_list *ret,
		    struct err *err) attr_must_use;
int slurm_stat(struct backend *backend, const struct job *job, struct use *ret, struct err *err)
	attr_must_use;

/*
 * Adds the runs in what sacct printed about this job; other jobs' lines and foreign ones are none.
 */
void slurm_parse_runs(struct span text, const char *id, struct run_list *ret);

/* What the steps that sstat printed use together; false when there is none. */
bool slurm_parse_stat(struct span text, struct use *ret);

/* "1-02:03:04", "03:04.567"; and "316948K", "1.5G". 0 for anything else. */
uint64_t slurm_parse_duration(const char *text);
uint64_t slurm_parse_size(const char *text);
