/* SPDX-License-Identifier: MIT */
/* A heap of deadlines; see deadlines.h. Places count from 1, so that a parent is place / 2. */
#include "tunnel/quic/deadlines.h"

#include <stdlib.h>

#include "init/base/alloc.h"

void deadlines_finish(struct deadlines *heap)
{
	free(heap->items);
	*heap = (struct deadlines){ 0 };
}

static void put(struct deadlines *heap, struct deadline *item, size_t place)
{
	heap->items[place - 1] = item;
	item->place = place;
}

static void rise(struct deadlines *heap, struct deadline *item)
{
	size_t place = item->place;

	while (place > 1 && heap->items[place / 2 - 1]->at > item->at) {
		put(heap, heap->items[place / 2 - 1], place);
		place /= 2;
	}
	put(heap, item, place);
}

static void sink(struct deadlines *heap, struct deadline *item)
{
	size_t place = item->place;

	for (;;) {
		size_t child = 2 * place;

		if (child < heap->len && heap->items[child]->at < heap->items[child - 1]->at)
			child++;
		if (child > heap->len || heap->items[child - 1]->at >= item->at)
			break;
		put(heap, heap->items[child - 1], place);
		place = child;
	}
	put(heap, item, place);
}

void deadlines_set(struct deadlines *heap, struct deadline *item, uint64_t at)
{
	if (item->place == 0) {
		if (heap->len == heap->size) {
			heap->size = heap->size ? 2 * heap->size : 16;
			heap->items = alloc_grow(heap->items, heap->size, sizeof(*heap->items));
		}
		put(heap, item, ++heap->len);
	}
	item->at = at;
	rise(heap, item);
	sink(heap, item);
}

void deadlines_remove(struct deadlines *heap, struct deadline *item)
{
	struct deadline *last;

	if (item->place == 0)
		return;
	last = heap->items[--heap->len];
	if (last != item) {
		put(heap, last, item->place);
		rise(heap, last);
		sink(heap, last);
	}
	item->place = 0;
}

struct deadline *deadlines_first(const struct deadlines *heap)
{
	return heap->len ? heap->items[0] : NULL;
}
