/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <signal.h>
#include <string.h>

#include "controller/backends/slurm/account.h"

static void durations_and_sizes_are_in_slurms_notation(void **state)
{
	(void)state;
	assert_int_equal(slurm_parse_duration("00:00.687"), 687 * NSEC_PER_MSEC);
	assert_int_equal(slurm_parse_duration("1-02:03:04"), UINT64_C(93784) * NSEC_PER_SEC);
	assert_int_equal(slurm_parse_duration("12"), 12 * NSEC_PER_SEC);
	assert_int_equal(slurm_parse_duration("1:2:3:4"), 0);
	assert_int_equal(slurm_parse_duration("-1:00"), 0);
	assert_int_equal(slurm_parse_duration("nan"), 0);
	assert_int_equal(slurm_parse_duration("1-"), 0);
	assert_int_equal(slurm_parse_duration(""), 0);
	assert_int_equal(slurm_parse_size("316948K"), UINT64_C(316948) << 10);
	assert_int_equal(slurm_parse_size("1.50G"), UINT64_C(3) << 29);
	assert_int_equal(slurm_parse_size("17"), 17);
	assert_int_equal(slurm_parse_size("5KB"), 0);
	assert_int_equal(slurm_parse_size("inf"), 0);
	assert_int_equal(slurm_parse_size("99999999999999999999P"), 0);
	assert_int_equal(slurm_parse_size(""), 0);
}

static void attempts_follow_each_other_and_steps_belong_to_them(void **state)
{
	struct span text = span_of_str("5|REQUEUED|0:0|100|102|n1||00:00.003|None\n"
				       "5.batch|CANCELLED|0:15|100|102|n1|3104K|00:00.003|\n"
				       "5|OUT_OF_MEMORY|0:125|200|300|n2||00:01.500|OutOfMemory\n"
				       "5.batch|OUT_OF_MEMORY|0:125|200|300|n2|20M|00:01|\n"
				       "5.0|OUT_OF_MEMORY|0:125|200|300|n2|30M|00:00.5|\n"
				       "55|RUNNING|0:0|1|Unknown|n1||00:00:00|None\n"
				       "slurmdbd: hello\n");
	cleanup(run_list_finish) struct run_list runs = { 0 };

	(void)state;
	slurm_parse_runs(text, "5", &runs);
	assert_int_equal(runs.len, 2);
	assert_int_equal(runs.items[0].attempt, 1);
	assert_string_equal(runs.items[0].native_state, "REQUEUED");
	assert_int_equal(runs.items[0].state, JOB_UNKNOWN);
	assert_int_equal(runs.items[0].ended_ns, 102 * NSEC_PER_SEC);
	assert_int_equal(runs.items[0].max_rss, 3104 << 10);
	assert_int_equal(runs.items[1].attempt, 2);
	assert_int_equal(runs.items[1].state, JOB_FAILED);
	assert_int_equal(runs.items[1].signal, SIGKILL);
	assert_int_equal(runs.items[1].exit_code, JOB_NO_EXIT_CODE);
	assert_int_equal(runs.items[1].max_rss, 30 << 20);
	assert_int_equal(runs.items[1].cpu_ns, 1500 * NSEC_PER_MSEC);
	assert_string_equal(runs.items[1].reason, "OutOfMemory");
}

static void tasks_that_have_not_begun_have_no_attempt(void **state)
{
	struct span text =
		span_of_str("6_0|COMPLETED|0:0|100|102|n1||00:00.003|None\n"
			    "6_0.batch|COMPLETED|0:0|100|102|n1|3M|00:00.003|\n"
			    "6_[2-4]|PENDING|0:0|Unknown|Unknown|None assigned||00:00:00|None\n"
			    "6_1|PENDING|0:0|Unknown|Unknown|None assigned||00:00:00|None\n"
			    "6_99999999999|FAILED|0:0|1|2|n1||00:00|None\n");
	cleanup(run_list_finish) struct run_list runs = { 0 };

	(void)state;
	slurm_parse_runs(text, "6", &runs);
	assert_int_equal(runs.len, 2);
	assert_int_equal(runs.items[0].state, JOB_SUCCEEDED);
	assert_int_equal(runs.items[0].exit_code, 0);
	assert_int_equal(runs.items[1].task, 1);
	assert_int_equal(runs.items[1].attempt, 0);
	assert_string_equal(runs.items[1].node_list, "");
}

static void what_running_steps_use_is_added_up(void **state)
{
	struct use use;

	(void)state;
	assert_true(slurm_parse_stat(span_of_str("7.batch|10M|00:02|1|1K|2K\n"
						 "7.0|30M|00:03|4|0|1M\nsstat: warning\n"),
				     &use));
	assert_int_equal(use.tasks, 5);
	assert_int_equal(use.max_rss, 30 << 20);
	assert_int_equal(use.cpu_ns, 14 * NSEC_PER_SEC);
	assert_int_equal(use.written, (1 << 20) + 2048);
	assert_false(slurm_parse_stat(span_of_str("\n"), &use));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_and_sizes_are_in_slurms_notation),
		cmocka_unit_test(attempts_follow_each_other_and_steps_belong_to_them),
		cmocka_unit_test(tasks_that_have_not_begun_have_no_attempt),
		cmocka_unit_test(what_running_steps_use_is_added_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
