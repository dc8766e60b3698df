/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "init/proc.h"

static bool parse(const char *text, struct proc_stat *ret)
{
	return proc_parse_stat(span_of_str(text), ret);
}

static void a_stat_line_is_read(void **state)
{
	struct proc_stat stat = { 0 };

	(void)state;
	assert_true(parse("4321 (sleep) S 12 34 56 34816 34 4194304 100 0 0 0 1 2 0 0 20 0 1 0 "
			  "987654321 5836800 300\n",
			  &stat));
	assert_int_equal(stat.pid, 4321);
	assert_int_equal(stat.parent, 12);
	assert_int_equal(stat.group, 34);
	assert_int_equal(stat.start, 987654321);
}

static void a_name_may_look_like_the_fields_after_it(void **state)
{
	struct proc_stat stat = { 0 };

	(void)state;
	assert_true(parse("7 (a) R 1 (b) S 12 34 56 0 0 0 0 0 0 0 0 0 0 0 20 0 1 0 55 0", &stat));
	assert_int_equal(stat.parent, 12);
	assert_int_equal(stat.start, 55);
}

static void what_is_cut_short_is_refused(void **state)
{
	static const char *const bad[] = { "",
					   "7",
					   "7 (a",
					   "7 (a)",
					   "7 (a) S",
					   "7 (a) S 1 2 3",
					   "x (a) S 1 2 3 0 0 0 0 0 0 0 0 0 0 0 20 0 1 0 55 0" };
	struct proc_stat stat = { .pid = 99 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(parse(bad[i], &stat));
	assert_int_equal(stat.pid, 99);
}

struct search {
	unsigned int wanted;
	int found;
};

static void look(unsigned int number, void *arg)
{
	struct search *s = arg;

	s->found += number == s->wanted;
}

static void a_process_finds_itself_once(void **state)
{
	struct search s = { .wanted = (unsigned int)getpid() };
	struct proc_stat stat = { 0 };

	(void)state;
	assert_true(proc_is_usable());
	assert_true(proc_read_stat(getpid(), &stat));
	assert_int_equal(stat.parent, getppid());
	assert_int_equal(stat.group, getpgrp());
	assert_true(stat.start > 0);
	proc_each_number("/proc", look, &s);
	assert_int_equal(s.found, 1);
	proc_each_number("/nonexistent", look, &s);
	assert_int_equal(s.found, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stat_line_is_read),
		cmocka_unit_test(a_name_may_look_like_the_fields_after_it),
		cmocka_unit_test(what_is_cut_short_is_refused),
		cmocka_unit_test(a_process_finds_itself_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
