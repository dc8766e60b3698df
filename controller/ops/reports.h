/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a scheduler does, how long its queues are, and how jobs stand in them. ERR_UNSUPPORTED, with
 * the alternative, where jobs wait for nothing.
 */

#include "controller/model/queued.h"
#include "controller/model/report.h"
#include "controller/ops/controller.h"

int ops_report_scheduler(struct controller *c, const char *cluster, struct scheduler_report *ret,
			 struct err *err) attr_must_use;

/* Patterns of fnmatch(3) choose queues; ERR_NOT_FOUND: nothing matches. */
int ops_report_queues(struct controller *c, const char *cluster, char *const *patterns, size_t len,
		      struct queue_report_list *ret, struct err *err) attr_must_use;

/* A report on each job, in their order, and what the reports borrow from. */
struct job_report_list {
	struct job_report *items;
	size_t len;
	struct queued_list *queues; /* one for each job at most; most are empty */
};

void job_report_list_finish(struct job_report_list *list);
DEFINE_CLEANUP_VALUE(struct job_report_list, job_report_list_finish)

/* One request a cluster (two where priorities are told); the jobs must outlive the list. */
int ops_report_jobs(struct controller *c, const struct job_list *jobs, struct job_report_list *ret,
		    struct err *err) attr_must_use;

/* Leaves jobs that have not ended, on clusters that have a queue. */
void ops_keep_in_queues(struct controller *c, struct job_list *jobs);
