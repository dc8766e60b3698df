/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * How jobs are: two lists by label, of Jobs and of pods, tell about all of them. The Job decides
 * when one has ended; its pods tell how, and what they wait for before. Of a pod that was made anew
 * the last counts. Where neither says why nothing happens, the server's events do (events.h).
 */

#include "controller/backends/backend.h"
#include "controller/backends/kube/client.h"

int kube_observe_jobs(struct kube *kube, const struct job *const *jobs, size_t len,
		      struct observation *ret, struct err *err) attr_must_use;

/*
 * What a Job and its pods (an array, or NULL) say of our job. Of one that is an array ret->runs
 * gets it, and the rest is for backend_observe() to fill. Pure.
 */
void kube_read_job(const struct job *record, const json_t *job, const json_t *pods,
		   struct observation *ret);

/* The pods of a job, those of Jobs that are indexed by their number, else one; release *ret. */
int kube_list_pods(struct kube *kube, const struct job *job, json_t **ret, struct err *err)
	attr_must_use;

/* Of an array of pods the last that was made for this number; NULL: there is none. Borrowed. */
const json_t *kube_last_pod(const json_t *pods, uint64_t index);

/* In the order in which they were made. */
void kube_sort_pods(json_t *pods);
