/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What Slurm says about its own work and its queue: sdiag, squeue of everybody's jobs, sprio. Text
 * of the same form on every Slurm; a line that is not understood is passed over.
 */

#include "controller/backends/backend.h"
#include "init/base/span.h"

/* The reason comes last: it may hold a '|'. */
#define SLURM_QUEUED_FORMAT                                                             \
	"JobArrayID:|,Partition:|,State:|,NumCPUs:|,PriorityLong:|,"                    \
	"SubmitTime:|,EligibleTime:|,StartTime:|,SchedNodes:|,NodeList:|,Dependency:|," \
	"Reason:"

/* Of each factor what it adds to the priority; of a job in several partitions there are several. */
#define SLURM_FACTORS_FORMAT "%i|%A|%B|%F|%J|%P|%Q|%S|%N|%T"

/* What sdiag printed. False when there was nothing of what it tells. */
bool slurm_parse_report(struct span text, struct scheduler_report *ret) attr_must_use;

/* Each takes the next line from *text. 1: *ret is one; 0: a line that is not; -1: no line left. */
int slurm_next_queued(struct span *text, struct queued *ret);
int slurm_next_factors(struct span *text, char ret_id[QUEUED_ID_SIZE], struct priority *ret);

/* backend_ops.report, .list_queued and .list_priorities. */
int slurm_report(struct backend *backend, struct scheduler_report *ret, struct err *err)
	attr_must_use;
int slurm_list_queued(struct backend *backend, struct queued_list *ret, struct err *err)
	attr_must_use;
int slurm_list_priorities(struct backend *backend, const struct job *const *jobs, size_t len,
			  struct priority *ret, struct err *err) attr_must_use;
