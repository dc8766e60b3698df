/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <string.h>

#include "tunnel/cmd/forward_spec.h"

static void what_users_write_is_understood(void **state)
{
	static const char *const cases[][3] = {
		{ "8888", "8888", "8888" },
		{ "80:8888", "80", "8888" },
		{ ":8888", "0", "8888" },
		{ "0:8888", "0", "8888" },
		{ "3306:db.example:3306", "3306", "db.example:3306" },
		{ "0.0.0.0:80:localhost:8080", "0.0.0.0:80", "localhost:8080" },
		{ "[::1]:80:[fd00::1]:8888", "[::1]:80", "[fd00::1]:8888" },
		{ "/tmp/l.sock:/run/x.sock", "/tmp/l.sock", "/run/x.sock" },
		{ "./l:8888", "./l", "8888" },
		{ "/tmp/l.sock:db:5432", "/tmp/l.sock", "db:5432" },
		{ "8888:/run/x.sock", "8888", "/run/x.sock" },
		{ "127.0.0.2:0:80", "127.0.0.2:0", "80" },
		{ "localhost:1:2", "localhost:1", "2" },
		{ "127.0.0.2:8888:/run/x.sock", "127.0.0.2:8888", "/run/x.sock" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char local[FORWARD_TEXT_MAX], remote[FORWARD_TEXT_MAX];
		struct forward_spec spec;

		assert_int_equal(forward_spec_parse(cases[i][0], &spec, NULL), 0);
		forward_end_format(&spec.local, local);
		forward_end_format(&spec.remote, remote);
		assert_string_equal(local, cases[i][1]);
		assert_string_equal(remote, cases[i][2]);
	}
}

static void what_is_nothing_of_the_kind_is_refused(void **state)
{
	static const char *const wrong[] = {
		"",	     "0",	  "x",	      "65536",	 "80:",	 "80:0",      "80:x",
		"a:b:c:d:e", "80:[::1:8", "80:h o:9", "/x.sock", "::80", "80:]x[:80",
	};
	char long_path[300];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct forward_spec spec;
		struct err err = { 0 };
		int result = forward_spec_parse(wrong[i], &spec, &err);

		assert_int_equal(result, -1);
		assert_int_equal(err.kind, ERR_INVALID);
	}
	memset(long_path, 'a', sizeof(long_path) - 1);
	memcpy(long_path, "80:/", 4);
	long_path[sizeof(long_path) - 1] = '\0';
	assert_int_equal(forward_spec_parse(long_path, &(struct forward_spec){ 0 }, NULL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_users_write_is_understood),
		cmocka_unit_test(what_is_nothing_of_the_kind_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
