/* SPDX-License-Identifier: MIT */
#pragma once

/* Reports as text: of a scheduler, of queues, of jobs in them. */

#include "controller/model/queued.h"
#include "controller/model/report.h"
#include "controller/output/output.h"

int output_scheduler_report(const struct scheduler_report *report, const struct output *output,
			    struct err *err) attr_must_use;
int output_queue_reports(const struct queue_report_list *queues, const struct output *output,
			 struct err *err) attr_must_use;
int output_job_reports(const struct job_report *reports, size_t len, const struct output *output,
		       struct err *err) attr_must_use;
