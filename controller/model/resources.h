/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a cluster has, in use and free: nodes added up by the queues that lead to them, and all of
 * them. A node in two queues counts in both, and once in the total, so that the total is no sum.
 */

#include "controller/model/cluster.h"
#include "controller/model/gpus.h"

/* Free is what usable nodes have left; of the total less what is used, the rest is out of order. */
struct amount {
	uint64_t total, used, free;
};

struct resource {
	char *queue; /* NULL: all nodes */
	struct amount
		nodes; /* used: those that jobs have something of; free: those that are idle */
	struct amount cpus, memory; /* memory in bytes */
	struct gpus gpus;
};

/* By the names of queues; the total comes last. */
struct resource_list {
	struct resource *items;
	size_t len;
};

void resource_list_init(struct resource_list *list, const struct node_list *nodes);
void resource_list_finish(struct resource_list *list);
DEFINE_CLEANUP_VALUE(struct resource_list, resource_list_finish)
