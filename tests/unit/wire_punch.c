/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "tunnel/wire/punch.h"
#include "tunnel/wire/varint.h"

static struct span value_of(const struct buf *b, uint64_t expected_type)
{
	struct span s = buf_span(b);
	uint64_t type = 0, len = 0;

	assert_true(varint_read(&s, &type) && varint_read(&s, &len));
	assert_int_equal(type, expected_type);
	assert_int_equal(len, s.len);
	return s;
}

static const struct punch_candidate samples[] = {
	{ PUNCH_HOST, { .family = 4, .bytes = { 10, 1, 2, 3 }, .port = 40000 } },
	{ PUNCH_REFLEXIVE,
	  { .family = 6, .bytes = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 }, .port = 1 } },
	{ 77, { .family = 4, .bytes = { 192, 0, 2, 1 }, .port = 65535 } },
};

static void candidates_survive_the_wire(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		cleanup(buf_finish) struct buf b = BUF_INIT(128);
		struct punch_candidate again;

		assert_true(punch_candidate_format(&samples[i], &b));
		assert_int_equal(punch_candidate_parse(value_of(&b, PUNCH_CANDIDATE), &again, NULL),
				 0);
		assert_int_equal(again.kind, samples[i].kind);
		assert_true(relay_address_equal(&again.address, &samples[i].address));
	}
}

static void rounds_survive_the_wire(void **state)
{
	static const uint64_t numbers[] = { 0, 1, 63, 64, VARINT_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		cleanup(buf_finish) struct buf b = BUF_INIT(128);
		uint64_t again = 0;

		assert_true(punch_round_format(numbers[i], &b));
		assert_int_equal(punch_round_parse(value_of(&b, PUNCH_ROUND), &again, NULL), 0);
		assert_true(again == numbers[i]);
	}
}

static void what_is_cut_short_or_too_long_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		cleanup(buf_finish) struct buf b = BUF_INIT(128);
		struct punch_candidate again;
		struct err err = { 0 };
		struct span value;

		assert_true(punch_candidate_format(&samples[i], &b));
		value = value_of(&b, PUNCH_CANDIDATE);
		for (size_t len = 0; len < value.len; len++) {
			assert_int_equal(
				punch_candidate_parse(span_of(value.ptr, len), &again, &err), -1);
			assert_int_equal(err.kind, ERR_PROTOCOL);
		}
		assert_true(buf_append_u8(&b, 0));
		value = buf_span(&b);
		assert_int_equal(
			punch_candidate_parse(span_of(value.ptr + 3, value.len - 3), &again, &err),
			-1);
	}
}

static void a_family_that_is_none_is_refused(void **state)
{
	struct punch_candidate candidate;
	struct err err = { 0 };
	uint64_t number;

	(void)state;
	assert_int_equal(punch_candidate_parse(span_of("\x00\x05\x0a\x00\x00\x01\x00\x50", 8),
					       &candidate, &err),
			 -1);
	assert_int_equal(err.kind, ERR_PROTOCOL);
	assert_int_equal(punch_round_parse(span_of("", 0), &number, &err), -1);
	assert_int_equal(punch_round_parse(span_of("\x01\x01", 2), &number, &err), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(candidates_survive_the_wire),
		cmocka_unit_test(rounds_survive_the_wire),
		cmocka_unit_test(what_is_cut_short_or_too_long_is_refused),
		cmocka_unit_test(a_family_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
