/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <string.h>

#include "tunnel/cmd/tty.h"

/* What the keys become, in pieces of the given length; "<leave>" where the user leaves. */
static void keys_become(const char *keys, size_t piece, const char *expected)
{
	struct tty_escape escape = { 0 };
	char out[128] = "";
	uint8_t part[128];
	size_t len = 0;
	bool leave = false;

	for (size_t at = 0; at < strlen(keys) && !leave; at += piece) {
		size_t given = MIN(piece, strlen(keys) - at), taken;

		taken = tty_escape_filter(&escape, span_of(keys + at, given), part, &leave);
		assert_true(taken <= 2 * given);
		memcpy(out + len, part, taken);
		len += taken;
	}
	if (leave)
		memcpy(out + len, "<leave>", 8);
	assert_string_equal(out, expected);
}

static void the_escape_is_seen_only_at_the_beginning_of_a_line(void **state)
{
	static const char *const cases[][2] = {
		{ "~.", "<leave>" },
		{ "ls\r~.", "ls\r<leave>" },
		{ "ls\n~.x", "ls\n<leave>" },
		{ "cd ~.", "cd ~." },
		{ "~~.", "~." },
		{ "~~\r~~~.", "~\r~~." },
		{ "~/bin\r", "~/bin\r" },
		{ "\r~\r~.", "\r~\r<leave>" },
		{ "a~.\r.~.", "a~.\r.~." },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t piece = 1; piece <= 8; piece++)
			keys_become(cases[i][0], piece, cases[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_escape_is_seen_only_at_the_beginning_of_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
