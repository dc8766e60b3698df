/* SPDX-License-Identifier: MIT */
/* What a cluster has; see resources.h. */
#include "resources.h"

#include <string.h>

#include "init/base/alloc.h"

static void add(struct amount *amount, uint64_t total, uint64_t used, bool is_usable)
{
	amount->total += total;
	amount->used += used;
	if (is_usable)
		amount->free += total - MIN(total, used);
}

static void add_node(struct resource *resource, const struct node *node)
{
	bool is_usable = node_is_usable(node);

	add(&resource->nodes, 1, node->cpus_used > 0, is_usable);
	add(&resource->cpus, node->cpus, node->cpus_used, is_usable);
	add(&resource->memory, node->memory, node->memory_used, is_usable);
	gpus_add(&resource->gpus, node->gres, node->gres_used, is_usable);
}

static struct resource *append(struct resource_list *list)
{
	if ((list->len & (list->len - 1)) == 0)
		list->items = alloc_grow(list->items, list->len ? list->len * 2 : 1,
					 sizeof(*list->items));
	list->items[list->len] = (struct resource){ 0 };
	return &list->items[list->len++];
}

static struct resource *find(struct resource_list *list, const char *queue, size_t len)
{
	struct resource *resource;

	for (size_t i = 0; i < list->len; i++) {
		resource = &list->items[i];
		if (strncmp(resource->queue, queue, len) == 0 && resource->queue[len] == '\0')
			return resource;
	}
	resource = append(list);
	resource->queue = str_dup_len(queue, len);
	return resource;
}

static int compare(const void *a, const void *b)
{
	const struct resource *left = a, *right = b;

	return strcmp(left->queue, right->queue);
}

void resource_list_init(struct resource_list *list, const struct node_list *nodes)
{
	struct resource total = { 0 };

	*list = (struct resource_list){ 0 };
	for (size_t i = 0; i < nodes->len; i++) {
		const struct node *node = &nodes->items[i];

		add_node(&total, node);
		for (const char *name = node->queues; *name; name += strspn(name, ",")) {
			size_t len = strcspn(name, ",");

			if (len > 0)
				add_node(find(list, name, len), node);
			name += len;
		}
	}
	if (list->len > 0)
		qsort(list->items, list->len, sizeof(*list->items), compare);
	*append(list) = total;
}

void resource_list_finish(struct resource_list *list)
{
	for (size_t i = 0; i < list->len; i++)
		free(list->items[i].queue);
	free(list->items);
	*list = (struct resource_list){ 0 };
}
