/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What pods run on, and the namespaces that lead there. Of a node counts what it has for pods
 * (allocatable), and in use is what the pods on it request, whoever's they are. GPUs are resources
 * called VENDOR/gpu and the like; their type is the node's label VENDOR/gpu.product, or else the
 * resource's own name. Labels are features, "KEY=VALUE".
 *
 * A queue is a namespace: it is what jobs are submitted to, and what has a share of the cluster,
 * when it has a ResourceQuota. Who may not list those of others sees the own one.
 */

#include "controller/backends/backend.h"
#include "controller/backends/kube/client.h"

/* backend_ops.list_nodes and list_queues. */
int kube_list_nodes(struct kube *kube, struct node_list *ret, struct err *err) attr_must_use;
int kube_list_queues(struct kube *kube, struct queue_list *ret, struct err *err) attr_must_use;

/* Nodes, and the pods on them (arrays, or NULL). Pure. */
void kube_read_nodes(const json_t *nodes, const json_t *pods, struct node_list *ret);

/* Namespaces, and their quotas. nodes: of the cluster, or empty. Pure. */
void kube_read_queues(const json_t *namespaces, const json_t *quotas, const struct node_list *nodes,
		      struct queue_list *ret);
