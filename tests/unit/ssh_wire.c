/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "tunnel/ssh/wire.h"

static struct span bytes(const char *s, size_t len)
{
	return span_of(s, len);
}

static void a_reader_takes_what_is_there_in_order(void **state)
{
	struct wire r = wire_of(bytes("\x07\x00\x00\x01\x02\x02\x00\x00\x00\x03"
				      "abc",
				      13));

	(void)state;
	assert_int_equal(wire_u8(&r), 7);
	assert_int_equal(wire_u32(&r), 258);
	assert_true(wire_bool(&r));
	assert_true(span_equal_str(wire_string(&r, 3), "abc"));
	assert_true(wire_end(&r));
}

static void a_reader_that_ran_short_stays_bad(void **state)
{
	struct wire r = wire_of(bytes("\x00\x00\x00", 3));

	(void)state;
	assert_int_equal(wire_u32(&r), 0);
	assert_false(wire_end(&r));
	assert_int_equal(wire_u8(&r), 0);
	assert_int_equal(wire_rest(&r).len, 0);
	assert_false(wire_end(&r));
}

static void what_is_left_over_is_not_the_end(void **state)
{
	struct wire r = wire_of(bytes("\x00\x00", 2));

	(void)state;
	wire_u8(&r);
	assert_false(wire_end(&r));
	wire_rest(&r);
	assert_true(wire_end(&r));
}

static void a_string_longer_than_its_limit_or_the_message_is_refused(void **state)
{
	struct wire limit = wire_of(bytes("\x00\x00\x00\x04"
					  "abcd",
					  8));
	struct wire huge = wire_of(bytes("\xff\xff\xff\xff"
					 "abcd",
					 8));

	(void)state;
	assert_int_equal(wire_string(&limit, 3).len, 0);
	assert_false(wire_end(&limit));
	assert_int_equal(wire_string(&huge, SIZE_MAX).len, 0);
	assert_false(wire_end(&huge));
}

static void a_text_has_no_nul_inside(void **state)
{
	struct wire good = wire_of(bytes("\x00\x00\x00\x02"
					 "ab",
					 6));
	struct wire bad = wire_of(bytes("\x00\x00\x00\x03"
					"a\0b",
					7));
	struct wire empty = wire_of(bytes("\x00\x00\x00\x00", 4));
	char *s = wire_text(&good, 10);

	(void)state;
	assert_string_equal(s, "ab");
	free(s);
	s = wire_text(&empty, 10);
	assert_string_equal(s, "");
	free(s);
	assert_null(wire_text(&bad, 10));
	assert_false(wire_end(&bad));
}

/* The examples of RFC 4251 section 5, as far as they are not negative, and more. */
static void mpints_are_as_short_as_they_can_be_and_never_negative(void **state)
{
	static const struct {
		const char *in;
		size_t in_len;
		const char *out;
		size_t out_len;
	} cases[] = {
		{ "", 0, "\0\0\0\0", 4 },
		{ "\0\0", 2, "\0\0\0\0", 4 },
		{ "\x09\xa3\x78\xf9\xb2\xe3\x32\xa7", 8,
		  "\0\0\0\x08\x09\xa3\x78\xf9\xb2\xe3\x32\xa7", 12 },
		{ "\x80", 1, "\0\0\0\x02\0\x80", 6 },
		{ "\0\0\0\x80\x01", 5, "\0\0\0\x03\0\x80\x01", 7 },
		{ "\0\x7f", 2, "\0\0\0\x01\x7f", 5 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup(buf_finish) struct buf b = BUF_INIT(64);

		wire_put_mpint(&b, bytes(cases[i].in, cases[i].in_len));
		assert_int_equal(buf_len(&b), cases[i].out_len);
		assert_memory_equal(buf_span(&b).ptr, cases[i].out, cases[i].out_len);
	}
}

static void name_lists_are_searched_by_whole_names(void **state)
{
	struct span list = span_of_str("one,two,,three");

	(void)state;
	assert_true(wire_list_has(list, span_of_str("one")));
	assert_true(wire_list_has(list, span_of_str("two")));
	assert_true(wire_list_has(list, span_of_str("three")));
	assert_false(wire_list_has(list, span_of_str("thre")));
	assert_false(wire_list_has(list, span_of_str("one,two")));
	assert_false(wire_list_has((struct span){ 0 }, span_of_str("one")));
	assert_true(span_equal_str(wire_list_next(&list), "one"));
	assert_true(span_equal_str(wire_list_next(&list), "two"));
	assert_int_equal(wire_list_next(&list).len, 0);
	assert_true(span_equal_str(wire_list_next(&list), "three"));
	assert_int_equal(list.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reader_takes_what_is_there_in_order),
		cmocka_unit_test(a_reader_that_ran_short_stays_bad),
		cmocka_unit_test(what_is_left_over_is_not_the_end),
		cmocka_unit_test(a_string_longer_than_its_limit_or_the_message_is_refused),
		cmocka_unit_test(a_text_has_no_nul_inside),
		cmocka_unit_test(mpints_are_as_short_as_they_can_be_and_never_negative),
		cmocka_unit_test(name_lists_are_searched_by_whole_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
