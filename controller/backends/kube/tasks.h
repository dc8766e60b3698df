/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What is done to, and known of, single pods of a job: tasks of an array that are ended one by one,
 * and attempts.
 */

#include "controller/backends/backend.h"
#include "controller/backends/kube/client.h"

/*
 * Ends those tasks of an array that `only` of the job names: the Job is told which they are, and
 * their pods are deleted, at once or with their time to end; no others are made for them.
 * ERR_UNSUPPORTED when one has no pod yet: a Job cannot leave out what it has not begun.
 */
int kube_cancel_tasks(struct kube *kube, const struct job *job, bool at_once, struct err *err)
	attr_must_use;

/* Deletes all pods of a job that there are, at once: what is left of it is ended by force. */
int kube_kill_pods(struct kube *kube, const struct job *job, struct err *err) attr_must_use;

/* backend_ops.list_runs: a run for each pod that there still is. */
int kube_list_runs(struct kube *kube, const struct job *job, struct run_list *ret, struct err *err)
	attr_must_use;
