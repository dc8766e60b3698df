/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Into a pod by the API server, over a WebSocket: to a port of it (`kubectl port-forward`), where
 * neither its address nor a relay leads there, and to a program that is started there (`kubectl
 * exec`), where it has no tunnel.
 */

#include "controller/backends/backend.h"
#include "controller/backends/kube/client.h"

/* As backend_ops.carry. */
int kube_carry(struct kube *kube, const char *pod, const struct backend_carry *carry,
	       struct err *err) attr_must_use;

/*
 * Puts a file of the job directory here into the pod's, in one step; programs: the directory with
 * berth's programs there, among them busybox.
 */
int kube_deliver(struct kube *kube, const char *pod, const struct job *job, const char *programs,
		 const char *name, struct err *err) attr_must_use;

/* As backend_ops.exec, in this pod's container. */
int kube_exec(struct kube *kube, const char *pod, const char *container,
	      const struct backend_exec *exec, int *ret_status, struct err *err) attr_must_use;
