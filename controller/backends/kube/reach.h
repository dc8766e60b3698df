/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Into a pod by the API server, over a WebSocket: to a port of it (`kubectl port-forward`), where
 * neither its address nor a relay leads there, and to a program that is started there (`kubectl
 * exec`), where it has no tunnel.
 */

#include "controller/backends/backend.h"
#include "controller/backends/kube/client.h"

/* A container of a pod. */
struct kube_target {
	char *namespace, *pod, *container;
};

void kube_target_finish(struct kube_target *target);
DEFINE_CLEANUP_VALUE(struct kube_target, kube_target_finish)

/* The path of what the API server has of its pod: "exec", "log"; NULL: the pod. free() it. */
char *kube_target_path(const struct kube_target *target, const char *what);

/* As backend_ops.carry. */
int kube_carry(struct kube *kube, const struct kube_target *target,
	       const struct backend_carry *carry, struct err *err) attr_must_use;

/* As backend_ops.exec. */
int kube_exec(struct kube *kube, const struct kube_target *target, const struct backend_exec *exec,
	      int *ret_status, struct err *err) attr_must_use;
