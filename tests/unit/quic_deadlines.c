/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "tunnel/quic/deadlines.h"

#define COUNT 1000

static struct deadline items[COUNT];

/* A number that looks random and is the same each time. */
static uint64_t scatter(size_t i)
{
	return (i * 7919 + 13) % 1009;
}

static uint64_t take_first(struct deadlines *heap)
{
	struct deadline *first = deadlines_first(heap);
	uint64_t at = first->at;

	deadlines_remove(heap, first);
	return at;
}

static void assert_sorted(struct deadlines *heap, size_t count)
{
	uint64_t last = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t at = take_first(heap);

		assert_true(at >= last);
		last = at;
	}
	assert_null(deadlines_first(heap));
}

static void deadlines_come_in_their_order(void **state)
{
	struct deadlines heap = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		deadlines_set(&heap, &items[i], scatter(i));
	assert_sorted(&heap, COUNT);
	deadlines_finish(&heap);
}

static void a_deadline_may_move_both_ways(void **state)
{
	struct deadlines heap = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		deadlines_set(&heap, &items[i], scatter(i));
	for (size_t i = 0; i < COUNT; i++)
		deadlines_set(&heap, &items[i], scatter(3 * i + 1));
	deadlines_set(&heap, &items[7], UINT64_MAX);
	assert_ptr_not_equal(deadlines_first(&heap), &items[7]);
	deadlines_set(&heap, &items[8], 0);
	assert_int_equal(deadlines_first(&heap)->at, 0);
	assert_sorted(&heap, COUNT);
	deadlines_finish(&heap);
}

static void one_that_left_does_not_come(void **state)
{
	struct deadlines heap = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT; i++)
		deadlines_set(&heap, &items[i], scatter(i));
	for (size_t i = 0; i < COUNT; i += 3)
		deadlines_remove(&heap, &items[i]);
	deadlines_remove(&heap, &items[0]); /* once more */
	for (struct deadline *item; (item = deadlines_first(&heap));) {
		assert_int_not_equal((item - items) % 3, 0);
		deadlines_remove(&heap, item);
	}
	deadlines_finish(&heap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deadlines_come_in_their_order),
		cmocka_unit_test(a_deadline_may_move_both_ways),
		cmocka_unit_test(one_that_left_does_not_come),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
