/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "tunnel/wire/reason.h"

static void says(const char *body, const char *expected)
{
	cleanup(buf_finish) struct buf reason = BUF_INIT(16);

	reason_add(&reason, span_of_str(body));
	assert_string_equal(reason_text(&reason, "refused"), expected);
}

static void a_reason_is_a_line_without_its_end(void **state)
{
	(void)state;
	says("no such file\n", "no such file");
	says("no such file\r\n", "no such file");
	says("\n", "refused");
	says("", "refused");
}

static void a_long_reason_is_cut(void **state)
{
	(void)state;
	says("0123456789abcdefghi", "0123456789abcdef");
}

static void a_reason_cannot_act_on_a_terminal(void **state)
{
	(void)state;
	says("a\033[2J\nb\302\2332J", "a?[2J?b??2J");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reason_is_a_line_without_its_end),
		cmocka_unit_test(a_long_reason_is_cut),
		cmocka_unit_test(a_reason_cannot_act_on_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
