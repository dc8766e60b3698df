/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <string.h>

#include "init/base/text.h"

static void durations_are_read_with_and_without_units(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} good[] = { { "90", 90000 },	   { "90s", 90000 }, { "5m", 300000 },
		     { "1h30m", 5400000 }, { "250ms", 250 }, { "1d", 86400000 } };
	static const char *const bad[] = {
		"", "h", "5x", "5 m", "-1", "1h ", "99999999999999999999", "300000000d"
	};
	uint64_t ns = 7;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(text_parse_duration(good[i].text, &ns));
		assert_int_equal(ns, good[i].ms * NSEC_PER_MSEC);
	}
	ns = 7;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(text_parse_duration(bad[i], &ns));
	assert_int_equal(ns, 7);
}

static void durations_are_written_in_their_two_largest_units(void **state)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} known[] = { { 0, "0s" },	   { 59, "59s" },	    { 60, "1m00s" },
		      { 190, "3m10s" },	   { 3599, "59m59s" },	    { 3600, "1h00m" },
		      { 18120, "5h02m" },  { 86399, "23h59m" },	    { 86400, "1d00h" },
		      { 273600, "3d04h" }, { 86400000, "1000d00h" } };
	char text[32], small[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		text_format_duration(known[i].seconds * NSEC_PER_SEC, text, sizeof(text));
		assert_string_equal(text, known[i].text);
	}
	text_format_duration(190 * NSEC_PER_SEC, small, sizeof(small));
	assert_string_equal(small, "3m1");
}

static void numbers_are_written_in_decimal(void **state)
{
	char text[TEXT_UINT_SIZE];

	(void)state;
	assert_int_equal(text_format_uint(0, text), 1);
	assert_string_equal(text, "0");
	assert_int_equal(text_format_uint(120, text), 3);
	assert_string_equal(text, "120");
	assert_int_equal(text_format_uint(UINT64_MAX, text), 20);
	assert_string_equal(text, "18446744073709551615");
}

static void sizes_are_powers_of_1024(void **state)
{
	uint64_t bytes;

	(void)state;
	assert_true(text_parse_size("4G", &bytes));
	assert_int_equal(bytes, UINT64_C(4) << 30);
	assert_true(text_parse_size("512MiB", &bytes));
	assert_int_equal(bytes, UINT64_C(512) << 20);
	assert_true(text_parse_size("10", &bytes));
	assert_int_equal(bytes, 10);
	assert_false(text_parse_size("4X", &bytes));
	assert_false(text_parse_size("G", &bytes));
	assert_false(text_parse_size("99999999999T", &bytes));
}

static void base64_round_trips_and_refuses_what_is_not_canonical(void **state)
{
	uint8_t in[40], out[40];
	char text[TEXT_BASE64_SIZE(sizeof(in))];

	(void)state;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 37);
	for (size_t len = 0; len <= sizeof(in); len++) {
		text_base64(span_of(in, len), text, sizeof(text));
		assert_true(text_parse_base64(text, out, len));
		assert_memory_equal(in, out, len);
		assert_false(text_parse_base64(text, out, len + 3));
	}
	assert_true(text_parse_base64("Zg==", out, 1));
	assert_false(text_parse_base64("Zh==", out, 1));
	assert_false(text_parse_base64("Z===", out, 1));
	assert_false(text_parse_base64("Zg=!", out, 1));
}

static void json_strings_are_escaped_and_always_utf8(void **state)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(256);

	(void)state;
	assert_true(text_append_json(&b, "a\"b\\c\n\xc3\xa9\xff\xed\xa0\x80"));
	assert_string_equal(buf_str(&b), "a\\\"b\\\\c\\u000a\xc3\xa9\\ufffd\\ufffd\\ufffd\\ufffd");
}

static void text_is_utf8_as_far_as_its_last_whole_character(void **state)
{
	static const struct {
		const char *text;
		size_t len, expected;
	} cases[] = {
		{ "", 0, 0 },
		{ "a\0b", 3, 3 },
		{ "\xc3\xa9", 2, 2 },
		{ "x\xc3", 2, 1 },
		{ "\xed\xa0\x80", 3, 0 },
		{ "\xf4\x8f\xbf\xbf!", 5, 5 },
		{ "ab\xff"
		  "c",
		  4, 2 },
		{ "\xe2\x82\xac", 2, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_int_equal(text_utf8_len(span_of(cases[i].text, cases[i].len)),
				 cases[i].expected);
}

static void a_path_becomes_one_segment(void **state)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(256);

	(void)state;
	assert_true(text_append_percent(&b, "/tmp/a b%\xff-._~"));
	assert_string_equal(buf_str(&b), "%2Ftmp%2Fa%20b%25%FF-._~");
}

static void what_acts_on_a_terminal_is_shown_as_question_marks(void **state)
{
	char text[] = "a\033[31m\r\n\x7f \xc3\xa9 \xc2\x9b"
		      "1m \xc2";

	(void)state;
	text_make_printable(text);
	assert_string_equal(text, "a?[31m??? \xc3\xa9 ??1m \xc2");
}

static void shell_words_survive_quoting(void **state)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(256);

	(void)state;
	assert_true(text_append_shell(&b, "plain-1.0") && buf_append_u8(&b, ' '));
	assert_true(text_append_shell(&b, "it's $x") && buf_append_u8(&b, ' '));
	assert_true(text_append_shell(&b, "\r\n\r") && buf_append_u8(&b, ' '));
	assert_true(text_append_shell(&b, ""));
	assert_string_equal(buf_str(&b), "plain-1.0 'it'\\''s $x' '\r''\n\r' ''");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_are_read_with_and_without_units),
		cmocka_unit_test(durations_are_written_in_their_two_largest_units),
		cmocka_unit_test(numbers_are_written_in_decimal),
		cmocka_unit_test(sizes_are_powers_of_1024),
		cmocka_unit_test(base64_round_trips_and_refuses_what_is_not_canonical),
		cmocka_unit_test(json_strings_are_escaped_and_always_utf8),
		cmocka_unit_test(text_is_utf8_as_far_as_its_last_whole_character),
		cmocka_unit_test(a_path_becomes_one_segment),
		cmocka_unit_test(what_acts_on_a_terminal_is_shown_as_question_marks),
		cmocka_unit_test(shell_words_survive_quoting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
