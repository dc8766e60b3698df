/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Jobs that are kept: from starting, and at their end.
 *
 * A Job that waits is suspended (`berth hold`), by which the server takes its pods away, and goes
 * on where it is not any more. One whose command has ended and that berth-init holds
 * (`run --hold`) is a pod that runs, of which berth-init's status file alone tells; SIGURG ends it.
 */

#include "controller/backends/kube/reach.h"

/*
 * Suspends the Job, or not any more. ERR_UNAVAILABLE: a pod of it runs, which would be ended;
 * ERR_UNSUPPORTED for single tasks.
 */
int kube_suspend(struct kube *kube, const struct job *job, bool is_held, struct err *err)
	attr_must_use;

/* programs: the directory with berth's programs in the container, among them busybox. */
int kube_end_hold(struct kube *kube, const struct kube_target *target, const char *programs,
		  struct err *err) attr_must_use;

/* As backend_ops.fetch_status. */
int kube_fetch_status(struct kube *kube, const struct kube_target *target, const char *programs,
		      const struct job *job, unsigned int rank, struct err *err) attr_must_use;
