/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <string.h>

#include "tunnel/services/motd.h"

#define NOW 1790000000.0

static void assert_text(const struct motd *motd, const char *expected)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(1024);

	assert_true(motd_format(motd, &b));
	assert_string_equal(buf_str(&b), expected);
}

static void it_says_where_one_is_and_for_how_long(void **state)
{
	const struct motd motd = { .job = "job-7",
				   .name = "train",
				   .slurm_id = "4711",
				   .host = "node12",
				   .rank = 3,
				   .now = NOW,
				   .ends = NOW + 3725 };

	(void)state;
	assert_text(&motd, "job-7 train, Slurm 4711, rank 3 on node12: 1h02m left\n");
}

static void what_is_not_known_is_left_out(void **state)
{
	(void)state;
	assert_text(&(struct motd){ .host = "n", .rank = 13, .ranks = 4 }, "task 3, rank 1 on n\n");
	assert_text(&(struct motd){ .host = "n", .now = NOW }, "rank 0 on n\n");
	assert_text(&(struct motd){ .job = "job-1", .now = NOW, .ends = NOW - 5 },
		    "job-1, rank 0: 0s left\n");
}

static void a_held_job_says_how_its_command_ended(void **state)
{
	static const char text[] = "{\"version\":1,\"state\":\"held\",\"started\":1789999000.5,"
				   "\"exit_code\":3,\"signal\":null,\"hold_until\":1790000730.0}";
	struct motd motd = { .job = "job-1", .now = NOW };

	(void)state;
	assert_int_equal(motd_read_status(span_of_str(text), 0, &motd, NULL), 0);
	assert_text(&motd, "job-1, rank 0\n"
			   "the command has ended with status 3; the job is held for 12m10s\n");
	motd.signal = 9;
	motd.held_until = 0;
	assert_text(&motd, "job-1, rank 0\n"
			   "the command was ended by signal 9; the job is held\n");
}

static void a_time_limit_counts_from_the_start(void **state)
{
	static const char text[] = "{\"version\":1,\"state\":\"running\",\"started\":1789999990}";
	struct motd motd = { .job = "job-1", .now = NOW };

	(void)state;
	assert_int_equal(motd_read_status(span_of_str(text), 100, &motd, NULL), 0);
	assert_text(&motd, "job-1, rank 0: 1m30s left\n");
	/* The scheduler knows better. */
	motd.ends = NOW + 10;
	assert_int_equal(motd_read_status(span_of_str(text), 100, &motd, NULL), 0);
	assert_text(&motd, "job-1, rank 0: 10s left\n");
}

static void what_reaches_the_terminal_is_plain(void **state)
{
	const struct motd motd = { .job = "a\033[2Jb", .name = "x\ny\177", .now = NOW };

	(void)state;
	assert_text(&motd, "a?[2Jb x?y?, rank 0\n");
}

static void a_status_that_cannot_be_understood_changes_nothing(void **state)
{
	static const char *const bad[] = { "", "{}", "[1]", "{\"version\":1}",
					   "{\"version\":1,\"state\":7}" };
	struct motd motd = { .job = "job-1", .now = NOW };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(motd_read_status(span_of_str(bad[i]), 5, &motd, NULL), -1);
	assert_text(&motd, "job-1, rank 0\n");
}

static void numbers_out_of_all_reason_do_no_harm(void **state)
{
	static const char text[] = "{\"version\":1,\"state\":\"held\",\"exit_code\":-1e300,"
				   "\"signal\":1e300,\"hold_until\":1e308,\"started\":-5}";
	struct motd motd = { .job = "j", .now = NOW };

	(void)state;
	assert_int_equal(motd_read_status(span_of_str(text), 1, &motd, NULL), 0);
	assert_text(&motd, "j, rank 0\nthe command has ended with status 0; the job is held\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_says_where_one_is_and_for_how_long),
		cmocka_unit_test(what_is_not_known_is_left_out),
		cmocka_unit_test(a_held_job_says_how_its_command_ended),
		cmocka_unit_test(a_time_limit_counts_from_the_start),
		cmocka_unit_test(what_reaches_the_terminal_is_plain),
		cmocka_unit_test(a_status_that_cannot_be_understood_changes_nothing),
		cmocka_unit_test(numbers_out_of_all_reason_do_no_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
