/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <string.h>

#include "tunnel/services/stat_text.h"

static struct span text(const char *s)
{
	return span_of_str(s);
}

static void a_process_is_read_whatever_its_name_is(void **state)
{
	static const char line[] =
		"77 (a) S (b) ) R 12 77 77 0 -1 4194560 100 0 3 0 10 20 3 4 20 0 9 0 5 1000000 250 "
		"18446744073709551615 1 1 0\n";
	struct stat_process process;

	(void)state;
	assert_true(stat_parse_process(text(line), &process));
	assert_int_equal(process.pid, 77);
	assert_int_equal(process.parent, 12);
	assert_int_equal(process.state, 'R');
	assert_int_equal(process.cpu_ticks, 37);
	assert_int_equal(process.threads, 9);
	assert_int_equal(process.rss_pages, 250);
}

static void what_is_no_process_is_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"1",
		"1 (a)",
		"1 (a) ",
		"1 (a) S 1 2",
		"x (a) S 1 1 1 0 -1 0 0 0 0 0 1 1 1 1 0 0 1 0 0 0 0",
		"1 (a) S -1 1 1 0 -1 0 0 0 0 0 1 1 1 1 20 0 1 0 0 0 0",
	};
	struct stat_process process;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(stat_parse_process(text(bad[i]), &process));
}

static void numbers_and_members_are_found(void **state)
{
	uint64_t value = 0;

	(void)state;
	assert_true(stat_parse_number(text("12345\n"), &value));
	assert_int_equal(value, 12345);
	assert_true(stat_parse_number(text("max\n"), &value));
	assert_true(value == UINT64_MAX);
	assert_false(stat_parse_number(text("-1\n"), &value));
	assert_false(stat_parse_number(text("99999999999999999999\n"), &value));
	assert_true(stat_parse_member(text("user_usec 1\nusage_usec 22\n"), "usage_usec", &value));
	assert_int_equal(value, 22);
	assert_true(
		stat_parse_member(text("xread_bytes: 1\nread_bytes: 7\n"), "read_bytes", &value));
	assert_int_equal(value, 7);
	assert_false(stat_parse_member(text("read_bytesx: 7\n"), "read_bytes", &value));
}

static void io_of_both_versions_is_added_up(void **state)
{
	uint64_t read, written;

	(void)state;
	stat_parse_io(text("8:0 rbytes=100 wbytes=20 rios=3\n8:16 rbytes=1 wbytes=2\n"), &read,
		      &written);
	assert_int_equal(read, 101);
	assert_int_equal(written, 22);
	stat_parse_io(text("8:0 Read 10\n8:0 Write 5\n8:0 Total 15\n8:16 Read 1\nTotal 16\n"),
		      &read, &written);
	assert_int_equal(read, 11);
	assert_int_equal(written, 5);
}

static void a_cgroup_is_found_in_each_kind_of_hierarchy(void **state)
{
	static const char groups[] = "12:memory:/slurm/job_7\n5:cpu,cpuacct:/a:b\n0::/user.slice\n";
	struct span path;

	(void)state;
	assert_true(stat_parse_cgroup(text(groups), "memory", &path));
	assert_true(span_equal_str(path, "/slurm/job_7"));
	assert_true(stat_parse_cgroup(text(groups), "cpuacct", &path));
	assert_true(span_equal_str(path, "/a:b"));
	assert_true(stat_parse_cgroup(text(groups), NULL, &path));
	assert_true(span_equal_str(path, "/user.slice"));
	assert_false(stat_parse_cgroup(text(groups), "acct", &path));
	assert_false(stat_parse_cgroup(text("0::relative\n"), NULL, &path));
}

static void gpus_come_line_by_line(void **state)
{
	struct span rest = text("0, NVIDIA GH200 120GB, 97, 1024, 97871\n"
				"No devices were found\n"
				"1, Old\tone, [Not Supported], [N/A], [N/A]\n");
	struct stat_gpu gpu;

	(void)state;
	assert_true(stat_next_gpu(&rest, &gpu));
	assert_int_equal(gpu.index, 0);
	assert_string_equal(gpu.name, "NVIDIA GH200 120GB");
	assert_int_equal(gpu.percent, 97);
	assert_int_equal(gpu.used, UINT64_C(1) << 30);
	assert_true(stat_next_gpu(&rest, &gpu));
	assert_int_equal(gpu.index, 1);
	assert_string_equal(gpu.name, "Old?one");
	assert_int_equal(gpu.percent, -1);
	assert_int_equal(gpu.total, 0);
	assert_false(stat_next_gpu(&rest, &gpu));
}

static void a_query_has_its_values(void **state)
{
	struct span value;

	(void)state;
	assert_true(stat_query("/stat?a=1&interval=2s", "interval", &value));
	assert_true(span_equal_str(value, "2s"));
	assert_true(stat_query("/stat?interval", "interval", &value));
	assert_int_equal(value.len, 0);
	assert_false(stat_query("/stat", "interval", &value));
	assert_false(stat_query("/stat?intervals=1", "interval", &value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_is_read_whatever_its_name_is),
		cmocka_unit_test(what_is_no_process_is_refused),
		cmocka_unit_test(numbers_and_members_are_found),
		cmocka_unit_test(io_of_both_versions_is_added_up),
		cmocka_unit_test(a_cgroup_is_found_in_each_kind_of_hierarchy),
		cmocka_unit_test(gpus_come_line_by_line),
		cmocka_unit_test(a_query_has_its_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
