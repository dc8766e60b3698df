/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "init/base/macro.h"
#include "tunnel/net/clock.h"

static void a_sleep_is_noticed_once(void **state)
{
	struct clock_wake wake;

	(void)state;
	clock_wake_init(&wake, 0);
	assert_false(clock_wake_check(&wake, 0));
	assert_true(clock_wake_check(&wake, 3 * NSEC_PER_SEC));
	assert_false(clock_wake_check(&wake, 3 * NSEC_PER_SEC));
}

static void slow_drift_between_the_clocks_is_no_sleep(void **state)
{
	struct clock_wake wake;
	uint64_t slept = 5 * NSEC_PER_SEC;

	(void)state;
	clock_wake_init(&wake, slept);
	for (int i = 0; i < 1000; i++) {
		slept += NSEC_PER_SEC;
		assert_false(clock_wake_check(&wake, slept));
	}
	slept -= NSEC_PER_SEC;
	assert_false(clock_wake_check(&wake, slept));
}

static void time_goes_forward(void **state)
{
	uint64_t before = clock_now();

	(void)state;
	assert_true(clock_now() >= before);
	assert_true(clock_now() < CLOCK_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sleep_is_noticed_once),
		cmocka_unit_test(slow_drift_between_the_clocks_is_no_sleep),
		cmocka_unit_test(time_goes_forward),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
