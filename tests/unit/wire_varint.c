/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "tunnel/wire/varint.h"

/* RFC 9000 appendix A.1. */
static const struct {
	uint64_t value;
	size_t len;
	uint8_t bytes[8];
} samples[] = {
	{ UINT64_C(151288809941952652), 8, { 0xc2, 0x19, 0x7c, 0x5e, 0xff, 0x14, 0xe8, 0x8c } },
	{ 494878333, 4, { 0x9d, 0x7f, 0x3e, 0x7d } },
	{ 15293, 2, { 0x7b, 0xbd } },
	{ 37, 1, { 0x25 } },
};

static void the_examples_of_the_rfc_are_read_and_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		struct span s = span_of(samples[i].bytes, samples[i].len);
		uint8_t out[VARINT_LEN_MAX];
		uint64_t v = 0;

		assert_true(varint_read(&s, &v));
		assert_true(v == samples[i].value);
		assert_int_equal(s.len, 0);
		assert_int_equal(varint_put(v, out), samples[i].len);
		assert_memory_equal(out, samples[i].bytes, samples[i].len);
	}
}

static void a_number_that_is_cut_short_is_left_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		for (size_t len = 0; len < samples[i].len; len++) {
			struct span s = span_of(samples[i].bytes, len);
			uint64_t v = 7;

			assert_false(varint_read(&s, &v));
			assert_int_equal(s.len, len);
			assert_int_equal(v, 7);
		}
	}
}

static void the_length_changes_where_it_should(void **state)
{
	static const uint64_t edges[] = { 0,	 63,	     64,	 16383,
					  16384, 1073741823, 1073741824, VARINT_MAX };
	static const size_t lens[] = { 1, 1, 2, 2, 4, 4, 8, 8 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(edges); i++) {
		cleanup(buf_finish) struct buf b = BUF_INIT(8);
		struct span s;
		uint64_t v;

		assert_int_equal(varint_len(edges[i]), lens[i]);
		assert_true(varint_append(&b, edges[i]));
		s = buf_span(&b);
		assert_int_equal(s.len, lens[i]);
		assert_true(varint_read(&s, &v));
		assert_true(v == edges[i]);
	}
}

static void a_fixed_length_form_reads_as_the_same_number(void **state)
{
	(void)state;
	for (size_t len = 1; len <= 8; len *= 2) {
		uint8_t out[8];
		struct span s = span_of(out, len);
		uint64_t v;

		assert_int_equal(varint_put_fixed(61, len, out), len);
		assert_true(varint_read(&s, &v));
		assert_int_equal(v, 61);
		assert_int_equal(s.len, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_examples_of_the_rfc_are_read_and_written),
		cmocka_unit_test(a_number_that_is_cut_short_is_left_alone),
		cmocka_unit_test(the_length_changes_where_it_should),
		cmocka_unit_test(a_fixed_length_form_reads_as_the_same_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
