/* SPDX-License-Identifier: MIT */
/* Reports: what sdiag, squeue, sprio and slurmrestd say, and what follows from it. */
#include "tests/unit/unit.h"

#include <string.h>

#include "controller/backends/slurm/report.h"
#include "controller/backends/slurmrest/report.h"
#include "controller/model/json.h"

#define QUEUE                                                                                  \
	"4|debug|PENDING|1|255|1795290614|N/A|N/A|(null)||afterok:1(unfulfilled)|Dependency\n" \
	"1|debug|RUNNING|8|291|1795290613|1795290613|1795290737|(null)|node1|(null)|None\n"    \
	"9|debug,long|PENDING|4|300|1795290700|1795290701|N/A|(null)||(null)|Priority\n"       \
	"10|debug|PENDING|2|300|1795290700|1795290702|1795299999|node1||(null)|Resources\n"    \
	"squeue: something|else\n"                                                             \
	"11_[0-3%2]|debug|PENDING|2|900|1795290600|1795290600|N/A|(null)||(null)|a|b\033[m\n"  \
	"12|long|PENDING|1|0|1795290600|N/A|N/A|(null)||(null)|JobHeldUser\n"

static void read_queue(struct queued_list *ret)
{
	struct span text = span_of_str(QUEUE);
	struct queued entry;
	int kind;

	while ((kind = slurm_next_queued(&text, &entry)) >= 0) {
		if (kind == 1)
			queued_list_take(ret, &entry);
	}
}

static const struct queued *find(const struct queued_list *list, const char *id, const char *only)
{
	cleanup(job_finish) struct job job = { 0 };

	job_init(&job);
	job_set(&job, native_id, id);
	job_set(&job, only, only);
	return queued_list_find(list, &job);
}

static void the_queue_is_read_line_by_line(void **state)
{
	cleanup(queued_list_finish) struct queued_list list = { 0 };
	const struct queued *array;

	(void)state;
	read_queue(&list);
	assert_int_equal(list.len, 6);
	assert_string_equal(list.items[0].dependency, "afterok:1(unfulfilled)");
	assert_int_equal(list.items[0].eligible_ns, 0);
	assert_string_equal(list.items[1].nodes, "node1");
	assert_string_equal(list.items[1].reason, "");
	array = find(&list, "11", "3");
	assert_non_null(array);
	assert_int_equal(array->count, 4);
	assert_string_equal(array->reason, "a|b?[m");
	assert_null(find(&list, "11", "4"));
	assert_null(find(&list, "2", ""));
}

static void the_highest_priority_is_first_in_line_and_then_the_oldest(void **state)
{
	cleanup(queued_list_finish) struct queued_list list = { 0 };
	uint64_t of;

	(void)state;
	read_queue(&list);
	assert_int_equal(queued_position(&list, find(&list, "11", ""), &of), 1);
	assert_int_equal(of, 6);
	/* Four tasks are before it; of two alike the lower number is the older. */
	assert_int_equal(queued_position(&list, find(&list, "9", ""), &of), 5);
	assert_int_equal(queued_position(&list, find(&list, "10", ""), &of), 6);
	assert_int_equal(queued_position(&list, find(&list, "4", ""), &of), 0);
	assert_int_equal(queued_position(&list, find(&list, "12", ""), &of), 0);
	assert_int_equal(of, 1);
}

static void queues_tell_what_waits_what_is_blocked_and_what_runs(void **state)
{
	cleanup(queued_list_finish) struct queued_list jobs = { 0 };
	cleanup(queue_report_list_finish) struct queue_report_list list = { 0 };

	(void)state;
	read_queue(&jobs);
	queue_report_list_add(&list, "debug", "up");
	queue_report_list_add(&list, "long", "up");
	queue_report_list_add(&list, "lon", "up");
	queue_report_count(&list, &jobs);
	assert_int_equal(list.items[0].waiting, 6);
	assert_int_equal(list.items[0].cpus_waiting, 4 + 2 + 4 * 2);
	assert_int_equal(list.items[0].blocked, 1);
	assert_int_equal(list.items[0].cpus_running, 8);
	assert_int_equal(list.items[0].oldest_ns, 1795290600 * NSEC_PER_SEC);
	assert_int_equal(list.items[0].next_ns, 1795299999 * NSEC_PER_SEC);
	assert_int_equal(list.items[1].waiting, 1);
	assert_int_equal(list.items[1].blocked, 1);
	assert_int_equal(list.items[1].next_ns, 0);
	assert_int_equal(list.items[2].waiting + list.items[2].running, 0);
}

#define SDIAG                                                                       \
	"sdiag output at Sat Nov 21 19:47:39 2026 (1795290459)\n"                   \
	"Data since      Sat Nov 21 19:47:11 2026 (1795290431)\n"                   \
	"Server thread count:  3\n"                                                 \
	"Jobs submitted: 5\n"                                                       \
	"Jobs canceled:  2\n"                                                       \
	"\nMain schedule statistics (microseconds):\n"                              \
	"\tLast cycle:   87\n"                                                      \
	"\tTotal cycles: 2\n"                                                       \
	"\nBackfilling stats (WARNING: data obtained in the middle of something)\n" \
	"\tTotal backfilled jobs (since last slurm start): 7\n"                     \
	"\tTotal cycles: 9\n"                                                       \
	"\tLast cycle when: N/A\n"                                                  \
	"\tLast cycle: 0\n"                                                         \
	"\tDepth Mean: 4\n"                                                         \
	"\tDepth Mean (try depth): x\n"                                             \
	"\nLatency for 1000 calls to gettimeofday(): 22 microseconds\n"             \
	"\tLast cycle: 999\n"

static void sdiag_is_read_section_by_section(void **state)
{
	struct scheduler_report report;

	(void)state;
	assert_true(slurm_parse_report(span_of_str(SDIAG), &report));
	assert_int_equal(report.facts[REPORT_FACT_SINCE].value, 1795290431);
	assert_int_equal(report.facts[REPORT_FACT_CANCELLED].value, 2);
	assert_int_equal(report.facts[REPORT_FACT_CYCLE_LAST].value, 87);
	assert_int_equal(report.facts[REPORT_FACT_CYCLES].value, 2);
	assert_int_equal(report.facts[REPORT_FACT_BACKFILL_CYCLES].value, 9);
	assert_int_equal(report.facts[REPORT_FACT_BACKFILL_LAST].value, 0);
	assert_int_equal(report.facts[REPORT_FACT_BACKFILL_DEPTH].value, 4);
	assert_true(report.facts[REPORT_FACT_BACKFILL_LAST].is_known);
	assert_false(report.facts[REPORT_FACT_BACKFILL_WHEN].is_known);
	assert_false(report.facts[REPORT_FACT_BACKFILL_TRIED].is_known);
	assert_false(slurm_parse_report(span_of_str("nothing of that\n"), &report));
}

static void factors_that_add_nothing_are_left_out(void **state)
{
	struct span text = span_of_str("      8|   10|0|0|411|0|-5|0|100|x\nUnable to find\n"
				       "7_3|1|2|3|4|5|6|7|0|cpu=1,mem=2\n");
	struct priority priority;
	char id[QUEUED_ID_SIZE];

	(void)state;
	assert_int_equal(slurm_next_factors(&text, id, &priority), 1);
	assert_string_equal(id, "8");
	assert_int_equal(priority.len, 4);
	assert_string_equal(priority.factors[1].name, "job_size");
	assert_int_equal(priority.factors[1].value, 411);
	assert_int_equal(priority.factors[2].value, -5);
	assert_string_equal(priority.factors[3].name, "nice");
	assert_int_equal(priority.factors[3].value, -100);
	assert_int_equal(slurm_next_factors(&text, id, &priority), 0);
	assert_int_equal(slurm_next_factors(&text, id, &priority), 1);
	assert_string_equal(id, "7");
	assert_int_equal(priority.len, 7);
	assert_int_equal(slurm_next_factors(&text, id, &priority), -1);
}

static void slurmrestd_tells_the_same_in_every_form(void **state)
{
	static const char text[] =
		"{\"statistics\": {\"jobs_submitted\": 11, \"req_time_start\": {\"set\": true,"
		" \"infinite\": false, \"number\": 1795290613}, \"bf_cycle_mean\": \"x\"},"
		" \"jobs\": [{\"job_id\": 8, \"array_job_id\": {\"set\": true, \"number\": 8},"
		" \"array_task_string\": \"0-3\", \"job_state\": [\"PENDING\"], \"cpus\": 31,"
		" \"partition\": \"debug\", \"priority\": 411, \"start_time\": 1795290999,"
		" \"state_reason\": \"Priority\"}, {\"job_id\": 9, \"job_state\": \"FAILED\"}]}";
	cleanup(json_release) json_t *answer = NULL;
	cleanup(queued_list_finish) struct queued_list list = { 0 };
	struct scheduler_report report;
	struct queued entry;
	const json_t *jobs;

	(void)state;
	assert_int_equal(json_parse(span_of_str(text), sizeof(text), &answer, NULL), 0);
	assert_true(slurmrest_read_report(answer, &report));
	assert_int_equal(report.facts[REPORT_FACT_SINCE].value, 1795290613);
	assert_false(report.facts[REPORT_FACT_BACKFILL_MEAN].is_known);
	jobs = json_object_get(answer, "jobs");
	assert_true(slurmrest_read_queued(json_array_get(jobs, 0), &entry));
	queued_list_take(&list, &entry);
	assert_int_equal(list.items[0].count, 4);
	assert_int_equal(list.items[0].start_ns, 1795290999 * NSEC_PER_SEC);
	assert_false(slurmrest_read_queued(json_array_get(jobs, 1), &entry));
	assert_false(slurmrest_read_report(jobs, &report));
}

static void reasons_are_told_in_words(void **state)
{
	(void)state;
	assert_non_null(strstr(queued_explain("JobHeldUser"), "berth release"));
	assert_non_null(strstr(queued_explain("QOSMaxCpuPerUserLimit"), "quality of service"));
	assert_non_null(strstr(queued_explain("DependencyNeverSatisfied"), "never"));
	assert_non_null(strstr(queued_explain("Nodes required for job are DOWN"), "down"));
	assert_non_null(strstr(queued_explain(""), "not looked"));
	assert_null(queued_explain("SomethingNew"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_queue_is_read_line_by_line),
		cmocka_unit_test(the_highest_priority_is_first_in_line_and_then_the_oldest),
		cmocka_unit_test(queues_tell_what_waits_what_is_blocked_and_what_runs),
		cmocka_unit_test(sdiag_is_read_section_by_section),
		cmocka_unit_test(factors_that_add_nothing_are_left_out),
		cmocka_unit_test(slurmrestd_tells_the_same_in_every_form),
		cmocka_unit_test(reasons_are_told_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
