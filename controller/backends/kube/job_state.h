/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * How a job is, by its Job and the pods of that. The Job decides when it has ended; the pods tell
 * how, and what they wait for before. Of a pod that was made anew the last counts; of tasks of an
 * array each one's own. Pure.
 */

#include "controller/backends/backend.h"
#include "controller/model/json.h"

/*
 * What a Job and its pods (an array, or NULL) say of our job. Of one that is an array ret->runs
 * gets it, and the rest is for backend_observe() to fill. Pure.
 */
void kube_read_job(const struct job *record, const json_t *job, const json_t *pods,
		   struct observation *ret);

/* Of an array of pods the last that was made for this number; NULL: there is none. Borrowed. */
const json_t *kube_last_pod(const json_t *pods, uint64_t index);

/* In the order in which they were made. */
void kube_sort_pods(json_t *pods);
