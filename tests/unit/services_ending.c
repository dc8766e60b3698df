/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "tunnel/services/ending.h"

static void assert_ending(const char *status, const char *expected)
{
	char text[ENDING_MAX] = "";

	assert_int_equal(ending_parse(span_of_str(status), text, NULL), expected ? 1 : 0);
	assert_string_equal(text, expected ? expected : "");
}

static void the_end_is_told_in_words(void **state)
{
	(void)state;
	assert_ending("{\"version\":1,\"state\":\"exited\",\"exit_code\":0,\"signal\":null}",
		      "the job has ended: SUCCEEDED");
	assert_ending("{\"version\":1,\"state\":\"exited\",\"exit_code\":3,\"signal\":null}",
		      "the job has ended: FAILED, exit code 3");
	assert_ending("{\"version\":1,\"state\":\"held\",\"exit_code\":255,\"signal\":null}",
		      "the job has ended: FAILED, exit code 255");
	assert_ending("{\"version\":1,\"state\":\"exited\",\"exit_code\":null,\"signal\":9}",
		      "the job has ended: FAILED, signal KILL");
	assert_ending("{\"version\":1,\"state\":\"running\",\"exit_code\":null,\"signal\":null}",
		      NULL);
}

static void what_is_no_status_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"{}",
		"{\"version\":1}",
		"{\"version\":1,\"state\":\"exited\"}",
		"{\"version\":1,\"state\":\"exited\",\"exit_code\":256}",
		"{\"version\":1,\"state\":\"exited\",\"exit_code\":-1}",
		"{\"version\":1,\"state\":\"exited\",\"signal\":0}",
		"{\"version\":1,\"state\":\"exited\",\"signal\":65}",
		"{\"version\":1,\"state\":\"exited\",\"exit_code\":\"3\"}",
	};
	char text[ENDING_MAX];
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_int_equal(ending_parse(span_of_str(texts[i]), text, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_end_is_told_in_words),
		cmocka_unit_test(what_is_no_status_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
