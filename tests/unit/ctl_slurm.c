/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "controller/backends/slurm/cluster.h"
#include "controller/backends/slurm/find.h"
#include "controller/backends/slurm/index.h"
#include "controller/backends/slurm/list.h"
#include "controller/backends/slurm/runs.h"
#include "controller/backends/slurm/submit.h"
#include "controller/model/hostlist.h"
#include "controller/model/job_slurm.h"

/* As printed by Slurm 22.05. */
#define QUEUE                                                              \
	"41|PENDING|0|N/A|N/A|debug||0|Priority\n"                         \
	"42|RUNNING|0|1795257704|1795257764|debug|n[1-2]|2|None\n"         \
	"43_7|FAILED|768|1795257704|1795257709|gpu|n3|0|NonZeroExitCode\n" \
	"44|CANCELLED|15|1795257704|1795257719|gpu|n3|0|None\n"            \
	"squeue: warning: something\n"                                     \
	"45|HIBERNATING|0|1795257704|N/A|debug|n1|0|a|b\n"                 \
	"46_[1-9]|PENDING|0|N/A|N/A|debug||0|Priority\n"                   \
	"47|PENDING|0|1795257999|N/A|debug||1|JobHeldUser"

static struct observation next(enum slurm_list list, struct span *text, const char *id)
{
	static struct slurm_line line;
	char found[64];

	assert_int_equal(slurm_next_line(list, text, &line), 1);
	snprintf(found, sizeof(found), "%s%s%s", line.id, line.tasks ? "_" : "",
		 line.tasks ? line.tasks : "");
	assert_string_equal(found, id);
	return line.seen;
}

static void pass(enum slurm_list list, struct span *text, int kind)
{
	static struct slurm_line line;

	assert_int_equal(slurm_next_line(list, text, &line), kind);
}

static void the_queue_is_read_line_by_line(void **state)
{
	struct span text = span_of_str(QUEUE);
	struct observation seen = next(SLURM_QUEUE, &text, "41");

	(void)state;
	assert_int_equal(seen.state, JOB_QUEUED);
	assert_string_equal(seen.native_state, "PENDING");
	assert_string_equal(seen.reason, "Priority");
	assert_string_equal(seen.queue, "debug");
	assert_string_equal(seen.node_list, "");
	assert_int_equal(seen.attempts, 0);
	seen = next(SLURM_QUEUE, &text, "42");
	assert_int_equal(seen.state, JOB_RUNNING);
	assert_int_equal(seen.started_ns, UINT64_C(1795257704) * NSEC_PER_SEC);
	assert_int_equal(seen.ended_ns, 0); /* that is when its limit would end it */
	assert_string_equal(seen.reason, "");
	assert_string_equal(seen.node_list, "n[1-2]");
	assert_int_equal(seen.attempts, 3);
	seen = next(SLURM_QUEUE, &text, "43_7"); /* a task of an array */
	assert_int_equal(seen.state, JOB_FAILED);
	assert_int_equal(seen.exit_code, 3);
	assert_int_equal(seen.ended_ns, UINT64_C(1795257709) * NSEC_PER_SEC);
	assert_int_equal(seen.attempts, 1);
	seen = next(SLURM_QUEUE, &text, "44");
	assert_int_equal(seen.state, JOB_CANCELLED);
	assert_int_equal(seen.signal, 15);
	pass(SLURM_QUEUE, &text, 0);
	seen = next(SLURM_QUEUE, &text, "45");
	assert_int_equal(seen.state, JOB_UNKNOWN);
	assert_string_equal(seen.native_state, "HIBERNATING");
	assert_string_equal(seen.reason, "a|b");
	seen = next(SLURM_QUEUE, &text, "46_1-9"); /* tasks that wait, in one line */
	assert_int_equal(seen.state, JOB_QUEUED);
	seen = next(SLURM_QUEUE, &text, "47");
	assert_int_equal(seen.started_ns, 0); /* a guess, while it waits */
	assert_int_equal(seen.attempts, 1);   /* it ran, and waits again */
	pass(SLURM_QUEUE, &text, -1);
}

static void a_line_is_about_all_tasks_that_it_names(void **state)
{
	struct span text = span_of_str("46_[2-9:2,11%2]|PENDING|0|N/A|N/A|debug||0|Priority\n"
				       "46_0|FAILED|768|10|20|debug|n1|0|NonZeroExitCode\n"
				       "46_1|RUNNING|0|10|N/A|debug|n2|1|None\n"
				       "46_99|RUNNING|0|10|N/A|debug|n2|1|None\n");
	static struct slurm_line line;
	cleanup(run_list_finish) struct run_list runs = { 0 };
	struct job job = { .array = (char *)(uintptr_t) "0-6", .tasks = 7 };
	struct run_fold fold;

	(void)state;
	run_list_init(&runs, &job);
	assert_int_equal(runs.len, 7);
	while (slurm_next_line(SLURM_QUEUE, &text, &line) == 1)
		slurm_runs_take(&runs, line.tasks, &line.seen);
	assert_int_equal(runs.items[0].state, JOB_FAILED);
	assert_int_equal(runs.items[0].exit_code, 3);
	assert_int_equal(runs.items[1].attempt, 2);
	assert_string_equal(runs.items[1].node_list, "n2");
	assert_true(runs.items[4].is_known);
	assert_false(runs.items[5].is_known); /* nobody spoke of it */
	assert_true(slurm_runs_miss_any(&runs));
	run_list_fold(&runs, &fold);
	assert_int_equal(fold.state, JOB_RUNNING);
	assert_string_equal(fold.counts, "1 RUNNING, 5 QUEUED, 1 FAILED");
}

static void a_task_that_has_ended_stays_as_it_ended(void **state)
{
	const struct observation running = { .state = JOB_RUNNING, .started_ns = 5 };
	cleanup(run_list_finish) struct run_list runs = { 0 };
	struct run *run = run_list_add(&runs, 3);

	(void)state;
	run->state = JOB_CANCELLED;
	slurm_runs_take(&runs, "3", &running);
	slurm_runs_take(&runs, "0-9", &running);
	assert_int_equal(run->state, JOB_CANCELLED);
	assert_false(run->has_changed);
	assert_false(slurm_runs_miss_any(&runs));
}

static void indices_that_cannot_be_are_no_line(void **state)
{
	static const char *const bad[] = { "46_",      "46_[]",		 "46_[1-]",
					   "46_[3-1]", "46_[0-9999999]", "46_[1",
					   "46_1]",    "46_x",		 "46_[1-3:0]",
					   "46_[1,]" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		cleanup_free char *line = str_printf("%s|PENDING|0|N/A|N/A|d||0|None", bad[i]);
		struct span text = span_of_str(line);

		pass(SLURM_QUEUE, &text, 0);
	}
}

static void newer_slurm_spells_the_exit_as_accounting_does(void **state)
{
	struct span text =
		span_of_str("2|FAILED|3:0|1795262380|1795262381|debug|n1|0|NonZeroExitCode\n"
			    "3|CANCELLED|0:15|1795262380|1795262381|debug|n1|0|None\n"
			    "4|RUNNING|0:0|1795262379|NONE|debug|n1|0|None\n"
			    "5|FAILED|3:|1795262380|1795262381|debug|n1|0|None\n");
	struct observation seen = next(SLURM_QUEUE, &text, "2");

	(void)state;
	assert_int_equal(seen.state, JOB_FAILED);
	assert_int_equal(seen.exit_code, 3);
	seen = next(SLURM_QUEUE, &text, "3");
	assert_int_equal(seen.exit_code, JOB_NO_EXIT_CODE);
	assert_int_equal(seen.signal, 15);
	seen = next(SLURM_QUEUE, &text, "4");
	assert_int_equal(seen.state, JOB_RUNNING);
	assert_int_equal(seen.ended_ns, 0);
	pass(SLURM_QUEUE, &text, 0);
	pass(SLURM_QUEUE, &text, -1);
}

static void accounting_has_its_own_spelling(void **state)
{
	struct span text =
		span_of_str("7|CANCELLED by 1000|0:15|1795257704|1795257719|debug|n1|None\n"
			    "7.batch|CANCELLED|0:15|1|2||n1|None\n"
			    "8|OUT_OF_MEMORY|0:125|1795257704|1795257719|debug|n1|OutOfMemory\n"
			    "9|RUNNING|0:0|1795257704|Unknown|debug|None assigned|None\n"
			    "x|y\n");
	struct observation seen = next(SLURM_ACCOUNT, &text, "7");

	(void)state;
	assert_int_equal(seen.state, JOB_CANCELLED);
	assert_string_equal(seen.native_state, "CANCELLED by 1000");
	assert_int_equal(seen.signal, 15);
	assert_int_equal(seen.attempts, 0); /* it does not say */
	pass(SLURM_ACCOUNT, &text, 0);	    /* a step */
	seen = next(SLURM_ACCOUNT, &text, "8");
	assert_int_equal(seen.state, JOB_FAILED);
	assert_string_equal(seen.reason, "OutOfMemory");
	seen = next(SLURM_ACCOUNT, &text, "9");
	assert_int_equal(seen.ended_ns, 0);
	assert_string_equal(seen.node_list, "");
	pass(SLURM_ACCOUNT, &text, 0);
	pass(SLURM_ACCOUNT, &text, -1);
}

static void a_list_of_nodes_that_is_too_long_is_cut_between_nodes(void **state)
{
	cleanup(buf_finish) struct buf line = BUF_INIT(SLURM_LINE_MAX);
	struct observation seen;
	struct span text;

	(void)state;
	assert_true(buf_printf(&line, "1|RUNNING|0:0|5|NONE|debug|rack[100"));
	for (int i = 102; i < 700; i += 2)
		assert_true(buf_printf(&line, ",%d", i));
	assert_true(buf_printf(&line, "]|0|None\n"));
	text = buf_span(&line);
	seen = next(SLURM_QUEUE, &text, "1");
	assert_true(strlen(seen.node_list) > BACKEND_NODES_MAX - 8);
	assert_true(hostlist_has(seen.node_list, "rack102"));
	assert_false(hostlist_has(seen.node_list, "rack698"));
	assert_int_equal(seen.node_list[strlen(seen.node_list) - 1], ']');
}

static void a_job_is_found_by_its_id_in_whatever_order_they_come(void **state)
{
	enum { JOBS = 300 };
	struct job jobs[JOBS] = { 0 };
	const struct job *asked[JOBS];
	static struct observation seen[JOBS];
	const struct observation said = { .state = JOB_RUNNING, .native_state = "RUNNING" };
	cleanup(slurm_index_finish) struct slurm_index index = { 0 }, none = { 0 };
	char id[24];

	(void)state;
	for (size_t i = 0; i < JOBS; i++) {
		jobs[i].native_id = str_printf("%zu", i * 7919 % JOBS);
		asked[i] = &jobs[i];
	}
	slurm_index_init(&index, asked, JOBS, seen);
	for (size_t n = 2 * JOBS; n-- > 0;) {
		snprintf(id, sizeof(id), "%zu", n);
		if (n % 2 == 0)
			slurm_index_take(&index, id, NULL, &said);
	}
	for (size_t i = 0; i < JOBS; i++) {
		assert_int_equal(slurm_is_known(&seen[i]), i * 7919 % JOBS % 2 == 0);
		free(jobs[i].native_id);
	}
	slurm_index_init(&none, NULL, 0, NULL);
	slurm_index_take(&none, "1", NULL, &said);
}

static void a_node_is_listed_once_with_all_its_partitions(void **state)
{
	struct span text = span_of_str(
		"n1|debug|mixed|4/28/0/32|2048|512|gpu:a100:4|gpu:a100:1(IDX:0)|fast,big|none\n"
		"n1|gpu|mixed|4/28/0/32|2048|512|gpu:a100:4|gpu:a100:1(IDX:0)|fast,big|none\n"
		"sinfo: something else\n"
		"n2|debug|down*|0/0/32/32|2048|N/A|(null)|gpu:0|(null)|disk|full\033[m\n"
		"n3|debug|idle|0/32/32|2048|0|(null)|(null)|(null)|none\n");
	cleanup(node_list_finish) struct node_list nodes = { 0 };
	struct node node;
	int kind;

	(void)state;
	while ((kind = slurm_next_node(&text, &node)) >= 0) {
		if (kind == 1)
			node_list_take(&nodes, &node);
	}
	assert_int_equal(nodes.len, 2);
	assert_string_equal(nodes.items[0].name, "n1");
	assert_string_equal(nodes.items[0].queues, "debug,gpu");
	assert_string_equal(nodes.items[0].gres, "gpu:a100:4");
	assert_string_equal(nodes.items[0].gres_used, "gpu:a100:1(IDX:0)");
	assert_string_equal(nodes.items[0].features, "fast,big");
	assert_string_equal(nodes.items[0].reason, "");
	assert_int_equal(nodes.items[0].cpus, 32);
	assert_int_equal(nodes.items[0].cpus_used, 4);
	assert_int_equal(nodes.items[0].memory, UINT64_C(2) << 30);
	assert_int_equal(nodes.items[0].memory_used, UINT64_C(512) << 20);
	assert_string_equal(nodes.items[1].state, "down*");
	assert_string_equal(nodes.items[1].reason, "disk|full?[m");
	assert_int_equal(nodes.items[1].memory_used, 0);
}

static void a_partition_has_a_time_limit_or_none(void **state)
{
	static const struct {
		const char *text;
		uint64_t seconds;
	} cases[] = {
		{ "infinite", 0 }, { "n/a", 0 },	{ "1-02:03:04", 93784 },
		{ "30:00", 1800 }, { "1:00:00", 3600 }, { "2-00:00:00", 172800 },
		{ "x-1", 0 },	   { "1:2:3:4", 0 },	{ "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_free char *line =
			str_printf("debug|up|%s|1/2/1/4|4/28/0/32|n[1-4]\n", cases[i].text);
		cleanup(queue_finish) struct queue queue = { 0 };
		struct span text = span_of_str(line);

		assert_int_equal(slurm_next_partition(&text, &queue), 1);
		assert_int_equal(queue.time_limit_ns, cases[i].seconds * NSEC_PER_SEC);
		assert_int_equal(queue.nodes, 4);
		assert_int_equal(queue.nodes_idle, 2);
		assert_string_equal(queue.node_list, "n[1-4]");
	}
}

static void a_reservation_is_read_from_its_words(void **state)
{
	struct span text = span_of_str(
		"ReservationName=m\x1b[2Ja StartTime=2082855840 EndTime=2082859440 Duration=01:00:00 "
		"Nodes=n[1-2] NodeCnt=2 Features=(null) Flags=MAINT Users=root,a State=INACTIVE\n"
		"No reservations in the system\n"
		"ReservationName=b StartTime=soon Nodes=\n");
	cleanup(reservation_finish) struct reservation first = { 0 }, second = { 0 }, none = { 0 };

	(void)state;
	assert_int_equal(slurm_next_reservation(&text, &first), 1);
	assert_string_equal(first.name, "m?[2Ja");
	assert_string_equal(first.node_list, "n[1-2]");
	assert_string_equal(first.features, "");
	assert_string_equal(first.users, "root,a");
	assert_string_equal(first.state, "inactive");
	assert_true(first.ends_ns - first.starts_ns == 3600 * NSEC_PER_SEC);
	assert_int_equal(slurm_next_reservation(&text, &none), 0);
	assert_int_equal(slurm_next_reservation(&text, &second), 1);
	assert_string_equal(second.name, "b");
	assert_true(second.starts_ns == 0);
	assert_int_equal(slurm_next_reservation(&text, &none), -1);
}

static void the_id_of_a_submission_may_have_a_cluster_behind_it(void **state)
{
	uint64_t id;

	(void)state;
	assert_true(slurm_parse_submitted(span_of_str("123\n"), &id));
	assert_int_equal(id, 123);
	assert_true(slurm_parse_submitted(span_of_str("124;daint\n"), &id));
	assert_int_equal(id, 124);
	assert_false(slurm_parse_submitted(span_of_str(""), &id));
	assert_false(slurm_parse_submitted(span_of_str("Submitted batch job 5\n"), &id));
	assert_false(slurm_parse_submitted(span_of_str("0\n"), &id));
}

static void a_state_is_as_its_strongest_word_says(void **state)
{
	static const struct {
		const char *words;
		enum job_state state;
	} cases[] = {
		{ "PENDING", JOB_QUEUED },
		{ "CONFIGURING", JOB_STARTING },
		{ "RUNNING,CONFIGURING", JOB_STARTING },
		{ "RUNNING", JOB_RUNNING },
		{ "SUSPENDED", JOB_RUNNING },
		{ "STOPPED", JOB_RUNNING },
		{ "COMPLETING", JOB_RUNNING },
		{ "FAILED,COMPLETING", JOB_RUNNING },
		{ "COMPLETED", JOB_SUCCEEDED },
		{ "completed", JOB_SUCCEEDED },
		{ "FAILED", JOB_FAILED },
		{ "NODE_FAIL", JOB_FAILED },
		{ "NODE_FAIL,REQUEUED", JOB_QUEUED },
		{ "OUT_OF_MEMORY", JOB_FAILED },
		{ "BOOT_FAIL", JOB_FAILED },
		{ "LAUNCH_FAILED", JOB_FAILED },
		{ "DEADLINE", JOB_TIMEOUT },
		{ "TIMEOUT", JOB_TIMEOUT },
		{ "PREEMPTED", JOB_PREEMPTED },
		{ "PREEMPTED,REQUEUED,COMPLETING", JOB_RUNNING },
		{ "CANCELLED", JOB_CANCELLED },
		{ "CANCELLED by 1000", JOB_CANCELLED },
		{ "CANCELLED+", JOB_CANCELLED },
		{ "REVOKED", JOB_CANCELLED },
		{ "SPECIAL_EXIT", JOB_QUEUED },
		{ "REQUEUE_HOLD", JOB_QUEUED },
		{ "RUNNING,HIBERNATING", JOB_RUNNING },
		{ "FAILED,UPDATE_DB", JOB_FAILED },
		{ "PD", JOB_QUEUED },
		{ "CG", JOB_RUNNING },
		{ "oom", JOB_FAILED },
		{ "COMPLET", JOB_UNKNOWN },
		{ "UPDATE_DB", JOB_UNKNOWN },
		{ "", JOB_UNKNOWN },
		{ " ,+", JOB_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (job_slurm_state(cases[i].words) != cases[i].state)
			fail_msg("'%s' is %s", cases[i].words,
				 job_state_word(job_slurm_state(cases[i].words)));
	}
}

static void a_job_is_found_by_its_script_alone(void **state)
{
	static const char list[] = "7 /scratch/a/jobs/1/script.sh\n"
				   "8 /scratch/a b/jobs/2/script.sh\n"
				   "x /scratch/a/jobs/3/script.sh\n"
				   "9 (null)\n"
				   "10";
	const struct span text = span_of_str(list);
	char id[BACKEND_ID_MAX] = "";

	(void)state;
	assert_false(slurm_find_script(text, "/scratch/a/jobs/3/script.sh", id));
	assert_false(slurm_find_script(text, "/scratch/a/jobs/1/script", id));
	assert_false(slurm_find_script(text, "", id));
	assert_string_equal(id, "");
	assert_true(slurm_find_script(text, "/scratch/a b/jobs/2/script.sh", id));
	assert_string_equal(id, "8");
}

static void jobs_of_other_workstations_are_known_by_their_scripts(void **state)
{
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	static const char text[] =
		"7|PENDING|train|/dev/null|/s a/jobs/6b019f50-8eef54953ad43042/script.sh\n"
		"8|RUNNING|run.sh|/dev/null|/elsewhere/run.sh\n"
		"7|RUNNING|train|/dev/null|/s a/jobs/6b019f50-8eef54953ad43042/script.sh\n"
		"9|RUNNING|a||/s/jobs/6b019f50-8eef54953ad4304/script.sh\n"
		"9|RUNNING|a|x|s/jobs/6b019f50-8eef54953ad43042/script.sh\n"
		"9x|RUNNING|a|/dev/null|/s/jobs/6b019f50-8eef54953ad43042/script.sh\n"
		"11|RUNNING|far|/u%%v/6b019f52-8eef54953ad43042/stdin|(null)\n"
		"12|RUNNING|mine|/elsewhere/stdin|(null)\n"
		"10|NEW\x1b|b||/t/jobs/6b019f51-8eef54953ad43042/script.sh";

	(void)state;
	slurm_locate_lines(span_of_str(text), &jobs);
	assert_int_equal(jobs.len, 3);
	assert_string_equal(jobs.items[0].native_id, "7");
	assert_string_equal(jobs.items[0].directory, "/s a/jobs/6b019f50-8eef54953ad43042");
	assert_string_equal(jobs.items[0].uid, "6b019f50-8eef54953ad43042");
	assert_int_equal(jobs.items[0].state, JOB_RUNNING);
	assert_int_equal(jobs.items[0].created_ns / NSEC_PER_SEC, 0x6b019f50);
	assert_string_equal(jobs.items[1].native_id, "11");
	assert_string_equal(jobs.items[1].directory, "/u%v/6b019f52-8eef54953ad43042");
	assert_int_equal(jobs.items[2].state, JOB_UNKNOWN);
	assert_string_equal(jobs.items[2].native_state, "NEW?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_queue_is_read_line_by_line),
		cmocka_unit_test(a_line_is_about_all_tasks_that_it_names),
		cmocka_unit_test(a_task_that_has_ended_stays_as_it_ended),
		cmocka_unit_test(indices_that_cannot_be_are_no_line),
		cmocka_unit_test(newer_slurm_spells_the_exit_as_accounting_does),
		cmocka_unit_test(accounting_has_its_own_spelling),
		cmocka_unit_test(a_list_of_nodes_that_is_too_long_is_cut_between_nodes),
		cmocka_unit_test(a_job_is_found_by_its_id_in_whatever_order_they_come),
		cmocka_unit_test(a_node_is_listed_once_with_all_its_partitions),
		cmocka_unit_test(a_partition_has_a_time_limit_or_none),
		cmocka_unit_test(a_reservation_is_read_from_its_words),
		cmocka_unit_test(the_id_of_a_submission_may_have_a_cluster_behind_it),
		cmocka_unit_test(a_job_is_found_by_its_script_alone),
		cmocka_unit_test(jobs_of_other_workstations_are_known_by_their_scripts),
		cmocka_unit_test(a_state_is_as_its_strongest_word_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
