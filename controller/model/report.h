/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a scheduler tells about its own work: how long its cycles take, how deep it looks, what it
 * has started since when. A fact is known or not; schedulers and their versions differ in what they
 * tell. This list is what tables, JSON and the manual are made of; each backend has a table of its
 * scheduler's words for them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum report_unit {
	REPORT_COUNT,
	REPORT_MICROSECONDS,
	REPORT_TIME, /* seconds since the epoch */
};

enum report_group { REPORT_SERVER, REPORT_JOBS, REPORT_MAIN, REPORT_BACKFILL, REPORT_GROUPS };

/*      name, group, unit, key in JSON, title in its group */
/* clang-format off */
#define REPORT_FACTS(X) \
	X(SINCE, SERVER, TIME, "since", "Counts since") \
	X(THREADS, SERVER, COUNT, "server_threads", "Threads at work") \
	X(AGENT_QUEUE, SERVER, COUNT, "agent_queue", "Messages to nodes that wait") \
	X(ACCOUNTING_QUEUE, SERVER, COUNT, "accounting_queue", "Records for accounting that wait") \
	X(SUBMITTED, JOBS, COUNT, "jobs_submitted", "Submitted") \
	X(STARTED, JOBS, COUNT, "jobs_started", "Started") \
	X(COMPLETED, JOBS, COUNT, "jobs_completed", "Completed") \
	X(CANCELLED, JOBS, COUNT, "jobs_cancelled", "Cancelled") \
	X(FAILED, JOBS, COUNT, "jobs_failed", "Failed") \
	X(PENDING, JOBS, COUNT, "jobs_pending", "Waiting at the last count") \
	X(RUNNING, JOBS, COUNT, "jobs_running", "Running at the last count") \
	X(CYCLES, MAIN, COUNT, "cycles", "Cycles") \
	X(CYCLE_LAST, MAIN, MICROSECONDS, "cycle_last_us", "Last cycle") \
	X(CYCLE_MEAN, MAIN, MICROSECONDS, "cycle_mean_us", "Mean cycle") \
	X(CYCLE_MAX, MAIN, MICROSECONDS, "cycle_max_us", "Longest cycle") \
	X(DEPTH_MEAN, MAIN, COUNT, "depth_mean", "Jobs looked at in a cycle") \
	X(QUEUE_LENGTH, MAIN, COUNT, "queue_length", "Jobs in its queue") \
	X(BACKFILLED, BACKFILL, COUNT, "backfill_jobs", "Jobs started so") \
	X(BACKFILLED_SINCE, BACKFILL, COUNT, "backfill_jobs_since", "Of these, in this time") \
	X(BACKFILL_CYCLES, BACKFILL, COUNT, "backfill_cycles", "Cycles") \
	X(BACKFILL_WHEN, BACKFILL, TIME, "backfill_last", "Last cycle began") \
	X(BACKFILL_LAST, BACKFILL, MICROSECONDS, "backfill_cycle_last_us", "Last cycle") \
	X(BACKFILL_MEAN, BACKFILL, MICROSECONDS, "backfill_cycle_mean_us", "Mean cycle") \
	X(BACKFILL_MAX, BACKFILL, MICROSECONDS, "backfill_cycle_max_us", "Longest cycle") \
	X(BACKFILL_DEPTH, BACKFILL, COUNT, "backfill_depth_mean", "Jobs looked at in a cycle") \
	X(BACKFILL_TRIED, BACKFILL, COUNT, "backfill_depth_tried_mean", "Of these, tried to start") \
	X(BACKFILL_QUEUE, BACKFILL, COUNT, "backfill_queue_length", "Jobs in its queue") \
	X(BACKFILL_QUEUE_MEAN, BACKFILL, COUNT, "backfill_queue_length_mean", "Mean of that")
/* clang-format on */

enum report_fact {
#define X(name, group, unit, key, title) REPORT_FACT_##name,
	REPORT_FACTS(X)
#undef X
		REPORT_FACTS_LEN
};

struct report_fact_info {
	enum report_group group;
	enum report_unit unit;
	const char *key, *title;
};

extern const struct report_fact_info report_facts[REPORT_FACTS_LEN];
extern const char *const report_groups[REPORT_GROUPS];

struct scheduler_report {
	struct {
		uint64_t value;
		bool is_known;
	} facts[REPORT_FACTS_LEN];
};

void report_set(struct scheduler_report *report, enum report_fact fact, uint64_t value);
