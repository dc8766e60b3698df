/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <time.h>

#include "controller/model/moment.h"
#include "init/base/macro.h"

/* 2026-11-21 13:46:40 UTC */
#define NOW UINT64_C(1795268800)

static uint64_t parse(const char *text)
{
	uint64_t ns = 0;

	return moment_parse(text, NOW * NSEC_PER_SEC, &ns) ? ns / NSEC_PER_SEC : 0;
}

static void a_duration_is_before_now(void **state)
{
	(void)state;
	assert_int_equal(parse("10m"), NOW - 600);
	assert_int_equal(parse("0s"), NOW);
	assert_int_equal(parse("1d"), NOW - 86400);
}

static void a_time_is_one_of_today_and_a_date_of_that_day(void **state)
{
	(void)state;
	assert_int_equal(parse("13:00"), NOW - 46 * 60 - 40);
	assert_int_equal(parse("13:46:39"), NOW - 1);
	assert_int_equal(parse("2026-11-21"), NOW - 13 * 3600 - 46 * 60 - 40);
	assert_int_equal(parse("2026-11-20T13:46"), NOW - 86400 - 40);
	assert_int_equal(parse("2026-11-21T13:46:40"), NOW);
}

static void what_is_no_moment_or_yet_to_come_is_refused(void **state)
{
	static const char *const wrong[] = { "",	   "x",		  "13:46:41",
					     "13:00 ",	   "25:00",	  "2026-11-22",
					     "2026-13-01", "2026-11-21T", "2026-11-21T13:00Z" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(parse(wrong[i]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_duration_is_before_now),
		cmocka_unit_test(a_time_is_one_of_today_and_a_date_of_that_day),
		cmocka_unit_test(what_is_no_moment_or_yet_to_come_is_refused),
	};

	setenv("TZ", "UTC0", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
