/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * How jobs are: two lists by label, of Jobs and of pods, tell about all of them (job_state.h).
 * Where neither says why nothing happens, the server's events do (events.h).
 */

#include "controller/backends/backend.h"
#include "controller/backends/kube/client.h"

/* Jobs and pods that are watched: who waits for them asks once, and then hears. */
struct kube_job_watch;
struct kube_job_watch *kube_job_watch_new(struct kube *kube);
struct kube_job_watch *kube_job_watch_free(struct kube_job_watch *watch);

/* Waits until something is heard of any, at most so long. 0; -1: it cannot be watched. */
int kube_job_watch_wait(struct kube_job_watch *watch, unsigned int timeout_ms, struct err *err)
	attr_must_use;

/* watch: what is known by it, or NULL: they are listed. */
int kube_observe_jobs(struct kube *kube, struct kube_job_watch *watch,
		      const struct job *const *jobs, size_t len, struct observation *ret,
		      struct err *err) attr_must_use;

/* The pods of a job, those of Jobs that are indexed by their number, else one; release *ret. */
int kube_list_pods(struct kube *kube, const struct job *job, json_t **ret, struct err *err)
	attr_must_use;
