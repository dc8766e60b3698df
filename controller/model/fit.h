/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Which nodes can take something: what a job would ask of one node, compared with what the node has
 * and what of that is free.
 */

#include "controller/model/cluster.h"
#include "controller/model/gpus.h"
#include "init/base/err.h"

/* Zero and NULL ask for nothing. Strings are borrowed. */
struct node_request {
	uint64_t cpus;
	uint64_t memory; /* bytes */
	uint64_t gpus;
	char gpu_type[GPUS_TYPE_SIZE]; /* "": of any type */
	const char *constraint;	       /* features, as constraint.h reads them */
	const char *queue;	       /* a pattern of fnmatch(3) */
	const char *state;	       /* the scheduler's word, such as "idle", in any case */
};

enum node_fit {
	FIT_NOW,
	FIT_LATER,	  /* when the jobs that are there have ended */
	FIT_OUT_OF_ORDER, /* it is large enough, but the scheduler does not use it at the moment */
	FIT_NEVER,
};

/* Refuses a constraint that is none. */
int fit_check(const struct node_request *request, struct err *err) attr_must_use;

enum node_fit fit_node(const struct node *node, const struct node_request *request);

/* What nodes are compared by. */
enum fit_measure { FIT_CPUS, FIT_MEMORY, FIT_GPUS };

/* How much of it a node has (of GPUs of this type, or NULL), in all or free now. */
uint64_t fit_measure(const struct node *node, enum fit_measure measure, const char *gpu_type,
		     bool is_total);

struct fit_counts {
	size_t nodes, now, later, out_of_order; /* nodes: all that were looked at */
};

/* Nodes that fit, those first that do at once. */
struct fit_list {
	struct node_list nodes;
	enum node_fit *fits;
	struct fit_counts counts;
};

/* Moves the nodes that fit out of the other list. */
void fit_list_init(struct fit_list *list, struct node_list *nodes,
		   const struct node_request *request);
void fit_list_finish(struct fit_list *list);
DEFINE_CLEANUP_VALUE(struct fit_list, fit_list_finish)

/*
 * Leaves usable nodes that have any of it, those first that have most; the order of equal ones
 * stays.
 */
void fit_list_sort(struct fit_list *list, enum fit_measure measure, const char *gpu_type,
		   bool is_total);

/* Leaves the first ones; 0 leaves all. */
void fit_list_cut(struct fit_list *list, uint64_t limit);
