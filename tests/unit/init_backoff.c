/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "init/backoff.h"

static void the_wait_doubles_from_100_ms_to_30_s(void **state)
{
	static const uint64_t ms[] = { 100,  200,   400,   800,	  1600, 3200,
				       6400, 12800, 25600, 30000, 30000 };
	struct backoff b = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ms); i++)
		assert_int_equal(backoff_next(&b, 0), ms[i] * NSEC_PER_MSEC);
}

static void what_ran_for_long_starts_over(void **state)
{
	struct backoff b = { 0 };

	(void)state;
	for (int i = 0; i < 20; i++)
		backoff_next(&b, 29 * NSEC_PER_SEC);
	assert_int_equal(backoff_next(&b, 29 * NSEC_PER_SEC), 30 * NSEC_PER_SEC);
	assert_int_equal(backoff_next(&b, 30 * NSEC_PER_SEC), 100 * NSEC_PER_MSEC);
	assert_int_equal(backoff_next(&b, 0), 200 * NSEC_PER_MSEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_wait_doubles_from_100_ms_to_30_s),
		cmocka_unit_test(what_ran_for_long_starts_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
