/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Where the tunnel of a pod listens: nobody has to enter the pod for that, since the port was
 * agreed upon (kube_port()) and the API server tells the pod's addresses. What is known is written
 * as berth-tunnel reads it, and kept: connections to come ask nobody. `host` in it is the pod's
 * name, by which the API server leads there.
 */

#include "controller/backends/kube/reach.h"
#include "controller/model/job.h"

/* Pure. False: the pod does not run, or has no address yet. */
bool kube_format_endpoint(const json_t *pod, const struct job *job, unsigned int rank,
			  struct buf *ret) attr_must_use;

/*
 * As backend_ops.endpoint. programs: the directory with berth's programs in the container; a pod
 * that has its node's network shares the ports with others, and is asked for the one that it got.
 */
int kube_endpoint(struct kube *kube, const struct job *job, unsigned int rank, const char *programs,
		  char **ret, struct err *err) attr_must_use;

/* The container of a rank that runs, whether it has a tunnel or not; ERR_NOT_FOUND. */
int kube_find_target(struct kube *kube, const struct job *job, unsigned int rank,
		     struct kube_target *ret, struct err *err) attr_must_use;

/* The container that was found last, without asking anybody; ERR_NOT_FOUND. */
int kube_known_target(const struct kube *kube, const struct job *job, unsigned int rank,
		      struct kube_target *ret, struct err *err) attr_must_use;
