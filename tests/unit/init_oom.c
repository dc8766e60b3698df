/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <string.h>

#include "init/oom.h"

static void check_next(struct span *lines, const char *path, bool is_v2)
{
	struct span found;
	bool found_v2;

	assert_true(oom_next_group(lines, &found, &found_v2));
	assert_int_equal(found.len, strlen(path));
	assert_memory_equal(found.ptr, path, found.len);
	assert_int_equal(found_v2, is_v2);
}

static void lines_about_memory_are_found(void **state)
{
	struct span lines = span_of_str("12:pids:/a\n"
					"7:cpu,memory:/b/memory:c\n"
					"6:memory,blkio:/d\n"
					"5:memoryx,xmemory:/e\n"
					"1:name=systemd:/f\n"
					"0::/g h\n");
	struct span path;
	bool is_v2;

	(void)state;
	check_next(&lines, "/b/memory:c", false);
	check_next(&lines, "/d", false);
	check_next(&lines, "/g h", true);
	assert_false(oom_next_group(&lines, &path, &is_v2));
}

static void lines_that_are_cut_short_are_passed_over(void **state)
{
	static const char *const bad[] = { "",	       "\n",	    "0",    "0:",
					   "0::",      "0::x",	    "::",   "memory",
					   "1:memory", "1:memory:", ":::/", "0:memory" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct span lines = span_of_str(bad[i]), path;
		bool is_v2;

		assert_false(oom_next_group(&lines, &path, &is_v2));
	}
}

static void the_count_is_read_of_both_versions(void **state)
{
	uint64_t count = 0;

	(void)state;
	assert_true(oom_parse_count(span_of_str("oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"),
				    &count));
	assert_int_equal(count, 3);
	assert_true(oom_parse_count(span_of_str("low 0\nhigh 0\nmax 17\noom 2\noom_kill 1\n"
						"oom_group_kill 0\n"),
				    &count));
	assert_int_equal(count, 1);
	assert_true(oom_parse_count(span_of_str("oom_kill 18446744073709551615"), &count));
	assert_true(count == UINT64_MAX);
}

static void what_has_no_count_is_refused(void **state)
{
	static const char *const bad[] = { "",
					   "oom_kill",
					   "oom_kill ",
					   "oom_kill -1",
					   "oom_kill x",
					   "oom_kill 18446744073709551616",
					   "oom_kill 00000000000000000000000000000001",
					   "under_oom 0\noom_kill_disable 0\n" };
	uint64_t count = 77;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(oom_parse_count(span_of_str(bad[i]), &count));
	assert_int_equal(count, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_about_memory_are_found),
		cmocka_unit_test(lines_that_are_cut_short_are_passed_over),
		cmocka_unit_test(the_count_is_read_of_both_versions),
		cmocka_unit_test(what_has_no_count_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
