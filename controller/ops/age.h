/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * How old what is known of jobs may be when they are looked at. Servers allow so many requests a
 * minute: where the setting `max_age` of a cluster says so (5 s with FirecREST, else nothing), the
 * records of its jobs are what was last asked, and everything on this machine that lists, names or
 * watches jobs shares that. A job that was just submitted was never seen, and one to which
 * something was done is taken for unseen.
 */

#include "controller/ops/internal.h"

/* Whether what is known of this cluster's jobs may be old at all. */
bool age_is_allowed(struct controller *c, const char *cluster);

/* Whether all jobs of this cluster in the list that can change were seen a moment ago. */
bool age_is_young(struct controller *c, const char *cluster, const struct job_list *jobs);

/*
 * Remembers that these jobs of one cluster were seen now, or (is_seen false) that they are not what
 * was seen. Nothing is done where nothing may be old.
 */
int age_mark(struct controller *c, const char *cluster, const struct job *const *jobs, size_t len,
	     bool is_seen, struct err *err) attr_must_use;

/* Whether a backend is asked about this job at all. */
bool job_wants_observing(const struct job *job);
