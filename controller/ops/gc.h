/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Collecting what jobs leave. When a job is seen to have ended, its Host block and keys go at once;
 * its directory (logs, status) stays for the retention. Bundles that no job directory links to go
 * when they have not been used for as long. Only what is recorded as ours is touched, and nothing
 * of a job whose backend does not answer.
 */

#include "controller/ops/controller.h"

#define GC_RETENTION_NS (7 * 86400 * NSEC_PER_SEC)

struct gc_report {
	size_t hosts;	    /* Host blocks */
	size_t keys;	    /* key files */
	size_t directories; /* job directories */
	size_t bundles;
};

/* Asks the backends about all jobs that have not ended, then collects. What can be collected is,
 * also when something fails; the first failure is reported. */
int ops_collect(struct controller *c, uint64_t retention_ns, struct gc_report *ret, struct err *err)
	attr_must_use;

/*
 * The same without asking any backend, at most every ten minutes, for the end of other verbs.
 * Failures are left to `berth gc`.
 */
void ops_collect_in_passing(struct controller *c);
