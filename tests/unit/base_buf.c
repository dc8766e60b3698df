/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "init/base/buf.h"

static void an_empty_buffer_may_hold_nothing(void **state)
{
	struct buf b = { 0 };

	(void)state;
	assert_false(buf_append(&b, "x", 1));
	assert_int_equal(buf_len(&b), 0);
}

static void appending_stops_at_the_maximum_and_keeps_what_was_there(void **state)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(4);

	(void)state;
	assert_true(buf_append(&b, "abc", 3));
	assert_false(buf_append(&b, "de", 2));
	assert_false(buf_printf(&b, "%d", 12));
	assert_true(buf_append(&b, "d", 1));
	assert_string_equal(buf_str(&b), "abcd");
}

static void bytes_survive_many_appends_and_consumes(void **state)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(1 << 20);
	uint8_t next_in = 0, next_out = 0;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		for (int i = 0; i < 97; i++)
			assert_true(buf_append_u8(&b, next_in++));
		for (int i = 0; i < 90; i++) {
			assert_int_equal(buf_span(&b).ptr[0], next_out++);
			buf_consume(&b, 1);
		}
	}
	assert_int_equal(buf_len(&b), 2000 * 7);
}

static void integers_are_big_endian(void **state)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(12);
	static const uint8_t expected[] = { 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 2, 1 };

	(void)state;
	assert_true(buf_append_u32(&b, 0x01020304));
	assert_true(buf_append_u64(&b, 0x0201));
	assert_memory_equal(buf_span(&b).ptr, expected, sizeof(expected));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_buffer_may_hold_nothing),
		cmocka_unit_test(appending_stops_at_the_maximum_and_keeps_what_was_there),
		cmocka_unit_test(bytes_survive_many_appends_and_consumes),
		cmocka_unit_test(integers_are_big_endian),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
