/* SPDX-License-Identifier: MIT */
/* Names of requests that act once. */
#include "tests/unit/unit.h"

#include "tunnel/h3/once.h"

static void a_name_is_claimed_once(void **state)
{
	struct h3_once once = { 0 };
	char text[2][H3_ONCE_TEXT_MAX];
	struct h3_once_name name;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		h3_once_make(text[i]);
		assert_int_equal(strlen(text[i]), H3_ONCE_TEXT_MAX - 1);
		assert_true(h3_once_parse(span_of_str(text[i]), &name));
		assert_true(h3_once_claim(&once, &name));
		assert_false(h3_once_claim(&once, &name));
	}
	assert_string_not_equal(text[0], text[1]);
	assert_true(h3_once_parse(span_of_str(text[0]), &name));
	assert_false(h3_once_claim(&once, &name));
	h3_once_finish(&once);
}

static void the_last_names_are_remembered_and_memory_ends(void **state)
{
	struct h3_once once = { 0 };
	struct h3_once_name name = { 0 };

	(void)state;
	for (uint32_t i = 0; i < 3 * H3_ONCE_MAX; i++) {
		memcpy(name.bytes, &i, sizeof(i));
		assert_true(h3_once_claim(&once, &name));
		assert_true(once.count <= H3_ONCE_MAX);
	}
	for (uint32_t i = 2 * H3_ONCE_MAX; i < 3 * H3_ONCE_MAX; i++) {
		memcpy(name.bytes, &i, sizeof(i));
		assert_false(h3_once_claim(&once, &name));
	}
	h3_once_finish(&once);
}

static void what_is_no_name_is_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"\"\"",
		"\"0123456789abcdef0123456789abcde\"",
		"\"0123456789abcdef0123456789abcdef0\"",
		"\"0123456789ABCDEF0123456789abcdef\"",
		"\"0123456789abcdeg0123456789abcdef\"",
		"0123456789abcdef0123456789abcdef",
		"'0123456789abcdef0123456789abcdef'",
		"\"0123456789abcdef0123456789abcdef\" ",
	};
	struct h3_once_name name;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_false(h3_once_parse(span_of_str(texts[i]), &name));
	assert_true(h3_once_parse(span_of_str("\"0123456789abcdef0123456789abcdef\""), &name));
	assert_memory_equal(name.bytes, "\x01\x23\x45\x67\x89\xab\xcd\xef", 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_claimed_once),
		cmocka_unit_test(the_last_names_are_remembered_and_memory_ends),
		cmocka_unit_test(what_is_no_name_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
