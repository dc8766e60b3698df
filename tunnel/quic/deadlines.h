/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Deadlines of many things, the earliest first: a binary heap whose items know their place, so that
 * one is moved or taken out in O(log n). Items are embedded; the heap owns nothing of them.
 * All-zero is an empty heap.
 */

#include <stddef.h>
#include <stdint.h>

struct deadline {
	uint64_t at;
	size_t place; /* in the heap, from 1; 0: not in it */
};

struct deadlines {
	struct deadline **items;
	size_t len, size;
};

void deadlines_finish(struct deadlines *heap);

/* Puts the item in, or moves it. */
void deadlines_set(struct deadlines *heap, struct deadline *item, uint64_t at);
/* One that is not there is left alone. */
void deadlines_remove(struct deadlines *heap, struct deadline *item);
/* The earliest; NULL: none. */
struct deadline *deadlines_first(const struct deadlines *heap);
