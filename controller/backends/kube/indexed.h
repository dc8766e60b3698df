/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Jobs with several pods: tasks of an array, and ranks. Both are Jobs with completionMode Indexed,
 * whose pods have numbers from 0 (batch.kubernetes.io/job-completion-index); the n-th of them is
 * the n-th index of the array, or rank n. Where tasks of an array have k ranks each, k pods in a
 * row are one task: number p is rank p % k of the task with the (p / k)-th index, as berth-init
 * works out (--indices, --ranks).
 *
 * Tasks of an array are on their own: one that fails ends nobody else (backoffLimitPerIndex 0), and
 * of "0-99%4" four run at a time. Ranks belong together: they are started at once, the first that
 * fails ends all, and each has a name, berth-UID-NUMBER.berth-UID, that a headless Service gives
 * it. In an array a rank that fails ends no others: a Job has nothing between all of its pods and
 * one of them. The task is then what the worst of its ranks is, when all have ended. Kubernetes
 * itself has no gangs: when there is room for some pods, these start and wait.
 */

#include "controller/backends/backend.h"
#include "controller/model/json.h"

#define KUBE_INDEX "batch.kubernetes.io/job-completion-index"
/* More completions than that a Job may not have. */
#define KUBE_COMPLETIONS_MAX 100000

/*
 * Makes a Job indexed when what it asks for has several pods. job_spec: of the Job, in which
 * "template" is there and filled.
 */
int kube_fill_indexed(json_t *job_spec, const struct submission *submission, struct err *err)
	attr_must_use;

/* Whether they are 0, 1, 2, ...: then a pod's number is the index. */
bool kube_is_plain_array(const char *indices);

/* How pods of a job are called within it, with # where their number is; free() it. */
char *kube_host_pattern(const struct job *job);

/* The Service that gives ranks their names; owner: the Job as the server made it. */
json_t *kube_make_service(const struct job *job, const json_t *owner);

/* The number of a pod among those of its Job; 0 of a Job that is not indexed. */
uint64_t kube_pod_index(const json_t *pod);

/* The rank (job.h) that the n-th pod of a job is, and the other way; false: it has no such. */
bool kube_rank_of_index(const struct job *job, uint64_t index, uint64_t *ret);
bool kube_index_of_rank(const struct job *job, uint64_t rank, uint64_t *ret);
