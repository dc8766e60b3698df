/* SPDX-License-Identifier: MIT */
/* Which nodes can take something; see fit.h. */
#include "fit.h"

#include <fnmatch.h>
#include <string.h>
#include <strings.h>

#include "controller/model/constraint.h"
#include "init/base/alloc.h"

int fit_check(const struct node_request *request, struct err *err)
{
	return request->constraint ? constraint_check(request->constraint, err) : 0;
}

static bool matches_queue(const struct node *node, const char *pattern)
{
	cleanup_free char *queues = str_dup(node->queues);
	char *rest = queues, *name;

	while ((name = strsep(&rest, ","))) {
		if (fnmatch(pattern, name, 0) == 0)
			return true;
	}
	return false;
}

/* "idle" goes for "idle" and "idle+cloud". */
static bool is_in_state(const struct node *node, const char *state)
{
	size_t len = strlen(state);

	return strncasecmp(node->state, state, len) == 0 &&
	       (node->state[len] == '\0' || node->state[len] == '+');
}

uint64_t fit_measure(const struct node *node, enum fit_measure measure, const char *gpu_type,
		     bool is_total)
{
	struct gpus gpus = { 0 };

	switch (measure) {
	case FIT_CPUS:
		return node->cpus - (is_total ? 0 : MIN(node->cpus, node->cpus_used));
	case FIT_MEMORY:
		return node->memory - (is_total ? 0 : MIN(node->memory, node->memory_used));
	case FIT_GPUS:
		gpus_add(&gpus, node->gres, node->gres_used, true);
		return is_total ? gpus_sum(&gpus, gpu_type).total : gpus_sum(&gpus, gpu_type).free;
	}
	return 0;
}

static bool has_enough(const struct node *node, const struct node_request *request, bool is_total)
{
	return fit_measure(node, FIT_CPUS, NULL, is_total) >= request->cpus &&
	       fit_measure(node, FIT_MEMORY, NULL, is_total) >= request->memory &&
	       fit_measure(node, FIT_GPUS, request->gpu_type, is_total) >= request->gpus;
}

enum node_fit fit_node(const struct node *node, const struct node_request *request)
{
	if ((request->constraint && !constraint_allows(request->constraint, node->features)) ||
	    (request->queue && !matches_queue(node, request->queue)) ||
	    (request->state && !is_in_state(node, request->state)) ||
	    !has_enough(node, request, true))
		return FIT_NEVER;
	if (!node_is_usable(node))
		return FIT_OUT_OF_ORDER;
	/* A node without a CPU left takes no job, however little that asks for. */
	return has_enough(node, request, false) && node->cpus > node->cpus_used ? FIT_NOW
										: FIT_LATER;
}

/* Appends to a list whose room is that of all nodes. */
static void take(struct fit_list *list, struct node *node, enum node_fit fit)
{
	list->fits[list->nodes.len] = fit;
	list->nodes.items[list->nodes.len++] = *node;
	*node = (struct node){ 0 };
}

void fit_list_init(struct fit_list *list, struct node_list *nodes,
		   const struct node_request *request)
{
	*list = (struct fit_list){ .counts.nodes = nodes->len };
	list->nodes.items = new_array(struct node, nodes->len + 1);
	list->fits = new_array(enum node_fit, nodes->len + 1);
	for (enum node_fit fit = FIT_NOW; fit < FIT_NEVER; fit++) {
		size_t before = list->nodes.len;
		size_t *count = fit == FIT_NOW	   ? &list->counts.now
				: fit == FIT_LATER ? &list->counts.later
						   : &list->counts.out_of_order;

		for (size_t i = 0; i < nodes->len; i++) {
			if (nodes->items[i].name && fit_node(&nodes->items[i], request) == fit)
				take(list, &nodes->items[i], fit);
		}
		*count = list->nodes.len - before;
	}
}

void fit_list_finish(struct fit_list *list)
{
	node_list_finish(&list->nodes);
	free(list->fits);
	*list = (struct fit_list){ 0 };
}

void fit_list_cut(struct fit_list *list, uint64_t limit)
{
	for (size_t i = limit; limit > 0 && i < list->nodes.len; i++)
		node_finish(&list->nodes.items[i]);
	if (limit > 0)
		list->nodes.len = MIN(list->nodes.len, limit);
}

/* Where it stood before decides between equal ones: qsort(3) does not keep that. */
struct ranked {
	uint64_t amount;
	size_t place;
};

static int compare(const void *a, const void *b)
{
	const struct ranked *left = a, *right = b;

	if (left->amount != right->amount)
		return left->amount > right->amount ? -1 : 1;
	return left->place < right->place ? -1 : left->place > right->place;
}

void fit_list_sort(struct fit_list *list, enum fit_measure measure, const char *gpu_type,
		   bool is_total)
{
	struct fit_list sorted = { .counts = list->counts };
	cleanup_free struct ranked *ranks = new_array(struct ranked, list->nodes.len + 1);

	for (size_t i = 0; i < list->nodes.len; i++)
		ranks[i] = (struct ranked){
			fit_measure(&list->nodes.items[i], measure, gpu_type, is_total), i
		};
	qsort(ranks, list->nodes.len, sizeof(*ranks), compare);
	sorted.nodes.items = new_array(struct node, list->nodes.len + 1);
	sorted.fits = new_array(enum node_fit, list->nodes.len + 1);
	for (size_t i = 0; i < list->nodes.len; i++) {
		size_t place = ranks[i].place;

		if (ranks[i].amount == 0 || list->fits[place] == FIT_OUT_OF_ORDER)
			node_finish(&list->nodes.items[place]);
		else
			take(&sorted, &list->nodes.items[place], list->fits[place]);
	}
	list->nodes.len = 0;
	fit_list_finish(list);
	*list = sorted;
}
