/* SPDX-License-Identifier: MIT */
/* Nodes and queues; see cluster.h. */
#include "cluster.h"

#include <string.h>

#include "init/base/alloc.h"

void node_finish(struct node *node)
{
	free(node->name);
	free(node->queues);
	free(node->state);
	free(node->reason);
	free(node->gres);
	*node = (struct node){ 0 };
}

void node_list_finish(struct node_list *list)
{
	for (size_t i = 0; i < list->len; i++)
		node_finish(&list->items[i]);
	free(list->items);
	*list = (struct node_list){ 0 };
}

void node_list_take(struct node_list *list, struct node *node)
{
	struct node *last = list->len > 0 ? &list->items[list->len - 1] : NULL;

	if (last && strcmp(last->name, node->name) == 0) {
		char *queues = str_printf("%s,%s", last->queues, node->queues);

		free(last->queues);
		last->queues = queues;
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
