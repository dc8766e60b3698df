/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Collecting what jobs leave. When a job is seen to have ended, its Host block and keys go at once;
 * its directory (logs, status) stays for the retention. Bundles that no job directory links to go
 * when they have not been used for as long. A cluster may have a quota as well (quota.h): beyond it
 * directories go before the retention is over, the oldest first. Only what is recorded as ours is
 * touched, and nothing of a job whose backend does not answer.
 */

#include "controller/ops/controller.h"

#define GC_RETENTION_NS (7 * 86400 * NSEC_PER_SEC)

struct gc_plan {
	uint64_t retention_ns;
	/* A size, a number of jobs; NULL: what the settings of each cluster say. */
	const char *keep_size, *keep_jobs;
	bool dry_run; /* only tells */
};

/* A job directory that went, or would go. */
struct gc_item {
	uint64_t job_id; /* 0: nobody recorded it, its submission died at its beginning */
	char *cluster, *directory;
	uint64_t bytes; /* when it was measured */
	bool is_measured;
	bool is_old; /* else its cluster has too much */
};

struct gc_report {
	size_t hosts;	       /* Host blocks */
	size_t keys;	       /* key files, also of spares that nobody took */
	struct gc_item *items; /* job directories */
	size_t directories;    /* of these */
	uint64_t bytes;	       /* of those that were measured */
	size_t bundles;
	size_t transfers; /* of files, that were interrupted */
};

void gc_report_finish(struct gc_report *report);
DEFINE_CLEANUP_VALUE(struct gc_report, gc_report_finish)

/*
 * Asks the backends about all jobs that have not ended, then collects. What can be collected is,
 * also when something fails; the first failure is reported. A cluster that does not answer keeps
 * what its quota would take.
 */
int ops_collect(struct controller *c, const struct gc_plan *plan, struct gc_report *ret,
		struct err *err) attr_must_use;

/*
 * The same without asking any backend, at most every ten minutes, for the end of other verbs.
 * Failures are left to `berth gc`.
 */
void ops_collect_in_passing(struct controller *c);
