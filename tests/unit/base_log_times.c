/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <string.h>

#include "init/base/log_times.h"

static int parse(const char *text, struct log_times *ret)
{
	return log_times_parse(span_of_str(text), ret, NULL);
}

static void what_was_printed_since_then_begins_where_the_log_ended_then(void **state)
{
	struct log_times times;

	(void)state;
	assert_int_equal(parse("100 10\n101 25\n110 99\n", &times), 0);
	assert_int_equal(times.len, 3);
	assert_int_equal(log_times_offset(&times, 99), 0);
	assert_int_equal(log_times_offset(&times, 100), 10);
	assert_int_equal(log_times_offset(&times, 109), 25);
	assert_int_equal(log_times_offset(&times, UINT64_MAX), 99);
}

static void a_line_that_is_being_written_is_left_out(void **state)
{
	struct log_times times;

	(void)state;
	assert_int_equal(parse("100 10\n101 2", &times), 0);
	assert_int_equal(times.len, 1);
	assert_int_equal(parse("", &times), 0);
	assert_int_equal(times.len, 0);
}

static void what_is_no_such_file_is_refused(void **state)
{
	static const char *const wrong[] = {
		"\n",
		"100\n",
		"100 \n",
		" 100 1\n",
		"x 1\n",
		"100 -1\n",
		"100 1 2\n",
		"1e3 1\n",
		"100 1\r\n",
		"100 99999999999999999999\n",
		"a line without an end that is longer than any pair of numbers could ever be 12345",
	};
	struct log_times times;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(log_times_parse(span_of_str(wrong[i]), &times, &err), -1);
		assert_int_equal(err.kind, ERR_PROTOCOL);
	}
	assert_int_equal(log_times_parse(span_of("1 \0"
						 "1\n",
						 5),
					 &times, &err),
			 -1);
}

static void only_growth_is_noted_and_one_size_a_second(void **state)
{
	struct log_times times = { .len = 0 };

	(void)state;
	assert_int_equal(log_times_note(&times, 100, 0), LOG_TIMES_SAME);
	assert_int_equal(log_times_note(&times, 100, 7), LOG_TIMES_APPENDED);
	assert_int_equal(log_times_note(&times, 105, 7), LOG_TIMES_SAME);
	assert_int_equal(log_times_note(&times, 105, 9), LOG_TIMES_APPENDED);
	assert_int_equal(log_times_note(&times, 105, 11), LOG_TIMES_REPLACED);
	/* The clock went back. */
	assert_int_equal(log_times_note(&times, 90, 12), LOG_TIMES_REPLACED);
	assert_int_equal(times.len, 2);
	assert_int_equal(log_times_offset(&times, 104), 7);
	assert_int_equal(log_times_offset(&times, 105), 12);
}

static void a_log_that_is_begun_anew_has_no_past(void **state)
{
	struct log_times times = { .len = 0 };

	(void)state;
	(void)log_times_note(&times, 100, 50);
	(void)log_times_note(&times, 101, 60);
	assert_int_equal(log_times_note(&times, 102, 5), LOG_TIMES_REPLACED);
	assert_int_equal(times.len, 1);
	assert_int_equal(log_times_offset(&times, 101), 0);
}

static void what_is_long_ago_is_known_less_exactly_and_nothing_is_skipped(void **state)
{
	struct log_times times = { .len = 0 }, again;
	cleanup(buf_finish) struct buf text = BUF_INIT(LOG_TIMES_TEXT_MAX);

	(void)state;
	for (uint64_t i = 1; i <= 100000; i++)
		(void)log_times_note(&times, i, i * 1000);
	assert_true(times.len <= LOG_TIMES_MAX && times.len > LOG_TIMES_MAX / 2);
	for (uint64_t since = 0; since <= 100000; since++) {
		assert_true(log_times_offset(&times, since) <= since * 1000);
		if (since > 100000 - LOG_TIMES_MAX / 2)
			assert_true(log_times_offset(&times, since) >= (since - 2) * 1000);
	}
	assert_true(log_times_format(&times, &text));
	assert_int_equal(log_times_parse(buf_span(&text), &again, NULL), 0);
	assert_int_equal(again.len, times.len);
	assert_memory_equal(again.items, times.items, times.len * sizeof(times.items[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_printed_since_then_begins_where_the_log_ended_then),
		cmocka_unit_test(a_line_that_is_being_written_is_left_out),
		cmocka_unit_test(what_is_no_such_file_is_refused),
		cmocka_unit_test(only_growth_is_noted_and_one_size_a_second),
		cmocka_unit_test(a_log_that_is_begun_anew_has_no_past),
		cmocka_unit_test(what_is_long_ago_is_known_less_exactly_and_nothing_is_skipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
