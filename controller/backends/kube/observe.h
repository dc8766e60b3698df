/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * How jobs are: two lists by label, of Jobs and of pods, tell about all of them. The Job decides
 * when one has ended; its pod tells how, and what it waits for before. What is missing, unknown or
 * of an odd type is passed over; texts for people come out without control characters.
 */

#include "controller/backends/backend.h"
#include "controller/backends/kube/client.h"

int kube_observe_jobs(struct kube *kube, const struct job *const *jobs, size_t len,
		      struct observation *ret, struct err *err) attr_must_use;

/* What a Job and its pod (NULL: there is none) say. Pure. */
void kube_read_job(const json_t *job, const json_t *pod, struct observation *ret);

/* "2026-11-21T08:00:00Z", in nanoseconds since the epoch; 0: none. */
uint64_t kube_time(const char *text);
