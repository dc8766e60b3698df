/* SPDX-License-Identifier: MIT */
/* Nodes and queues; see cluster.h. */
#include "cluster.h"

#include <string.h>
#include <strings.h>

#include "init/base/alloc.h"

/* "idle+drain", "mixed", "down*": whether one of its words begins like that. */
static bool has_state(const char *state, const char *word)
{
	for (const char *p = state; p; p = strchr(p, '+')) {
		p += *p == '+';
		if (strncasecmp(p, word, strlen(word)) == 0)
			return true;
	}
	return false;
}

bool node_is_usable(const struct node *node)
{
	/* A node that was powered down for want of work is woken for a job. */
	static const char *const words[] = {
		"down",	  "drain",    "fail",	    "error",	  "unknown",	   "inval",
		"maint",  "not_resp", "no_respond", "power_down", "powering_down", "future",
		"reboot", "notready", "scheduling", "reserved"
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (has_state(node->state, words[i]))
			return false;
	}
	return node->state[0] != '\0' && node->state[strlen(node->state) - 1] != '*';
}

bool node_is_in_queue(const struct node *node, const char *queue)
{
	size_t len = strlen(queue);

	for (const char *name = node->queues; *name; name += strspn(name, ",")) {
		size_t name_len = strcspn(name, ",");

		if (name_len == len && memcmp(name, queue, len) == 0)
			return true;
		name += name_len;
	}
	return false;
}

void node_finish(struct node *node)
{
	free(node->name);
	free(node->queues);
	free(node->state);
	free(node->reason);
	free(node->gres);
	free(node->gres_used);
	free(node->features);
	free(node->architecture);
	*node = (struct node){ 0 };
}

void node_list_finish(struct node_list *list)
{
	for (size_t i = 0; i < list->len; i++)
		node_finish(&list->items[i]);
	free(list->items);
	*list = (struct node_list){ 0 };
}

/* Names stay in alphabetical order: schedulers tell them in another one each time. */
static void add_queue(struct node *node, const char *queue)
{
	const char *at = node->queues;
	char *queues;

	while (*at) {
		size_t len = strcspn(at, ",");

		if (strncmp(at, queue, MAX(len, strlen(queue))) > 0)
			break;
		at += len + (at[len] == ',');
	}
	queues = *at ? str_printf("%.*s%s,%s", (int)(at - node->queues), node->queues, queue, at)
		     : str_printf("%s,%s", node->queues, queue);
	free(node->queues);
	node->queues = queues;
}

void node_list_take(struct node_list *list, struct node *node)
{
	struct node *last = list->len > 0 ? &list->items[list->len - 1] : NULL;

	if (!node->architecture)
		node->architecture = str_dup("");
	if (last && strcmp(last->name, node->name) == 0) {
		add_queue(last, node->queues);
		node_finish(node);
		return;
	}
	/* Grown in powers of two: the capacity follows from the length. */
	if ((list->len & (list->len - 1)) == 0)
		list->items = alloc_grow(list->items, list->len ? list->len * 2 : 1,
					 sizeof(*list->items));
	list->items[list->len++] = *node;
	*node = (struct node){ 0 };
}

void queue_finish(struct queue *queue)
{
	free(queue->name);
	free(queue->state);
	free(queue->node_list);
	*queue = (struct queue){ 0 };
}

void queue_list_finish(struct queue_list *list)
{
	for (size_t i = 0; i < list->len; i++)
		queue_finish(&list->items[i]);
	free(list->items);
	*list = (struct queue_list){ 0 };
}

void queue_list_take(struct queue_list *list, struct queue *queue)
{
	if ((list->len & (list->len - 1)) == 0)
		list->items = alloc_grow(list->items, list->len ? list->len * 2 : 1,
					 sizeof(*list->items));
	list->items[list->len++] = *queue;
	*queue = (struct queue){ 0 };
}

void cluster_list_finish(struct cluster_list *list)
{
	free(list->items);
	*list = (struct cluster_list){ 0 };
}

void cluster_list_add(struct cluster_list *list, const struct cluster *cluster)
{
	list->items = alloc_grow(list->items, list->len + 1, sizeof(*list->items));
	list->items[list->len++] = *cluster;
}
