/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <string.h>

#include "tunnel/net/session_file.h"

static void every_member_is_read(void **state)
{
	static const char text[] =
		"{\"version\": 1, \"uid\": \"65a0-3f\", \"job\": \"job-7\", \"name\": \"train\", "
		"\"shell\": \"/bin/zsh\", \"time_limit_s\": 7200, \"port\": 20007, \"plain_shell\": true, "
		"\"no_motd\": true, \"no_vscode_folder\": true, \"later\": {}}";
	cleanup(session_file_finish) struct session_file file = { 0 };

	(void)state;
	assert_int_equal(session_file_parse(span_of_str(text), &file, NULL), 0);
	assert_string_equal(file.uid, "65a0-3f");
	assert_string_equal(file.job, "job-7");
	assert_string_equal(file.name, "train");
	assert_string_equal(file.shell, "/bin/zsh");
	assert_int_equal(file.time_limit_s, 7200);
	assert_int_equal(file.port, 20007);
	assert_true(file.plain_shell && file.no_motd && file.no_vscode_folder);
}

static void members_and_the_file_may_be_missing(void **state)
{
	cleanup(session_file_finish) struct session_file file = { .no_motd = true };

	(void)state;
	assert_int_equal(session_file_parse(span_of_str("{\"version\": 1}"), &file, NULL), 0);
	assert_null(file.job);
	assert_false(file.no_motd);
	file.no_motd = true;
	assert_int_equal(session_file_read("/nonexistent/session.json", &file, NULL), 0);
	assert_false(file.no_motd);
}

static void what_is_wrong_is_named(void **state)
{
	static const char *const bad[][2] = {
		{ "{\"version\": 2}", "version" },
		{ "{\"version\": 1, \"shell\": \"zsh\"}", "shell" },
		{ "{\"version\": 1, \"shell\": 1}", "shell" },
		{ "{\"version\": 1, \"uid\": \"../x\"}", "uid" },
		{ "{\"version\": 1, \"uid\": \"\"}", "uid" },
		{ "{\"version\": 1, \"no_motd\": \"yes\"}", "no_motd" },
		{ "{\"version\": 1, \"time_limit_s\": -1}", "time_limit_s" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct session_file file;
		struct err err;

		assert_int_equal(session_file_parse(span_of_str(bad[i][0]), &file, &err), -1);
		assert_non_null(strstr(err.text, bad[i][1]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_member_is_read),
		cmocka_unit_test(members_and_the_file_may_be_missing),
		cmocka_unit_test(what_is_wrong_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
