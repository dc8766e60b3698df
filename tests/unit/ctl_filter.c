/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <string.h>

#include "controller/model/filter.h"
#include "controller/model/hostlist.h"

#define NOW (UINT64_C(1790000000) * NSEC_PER_SEC)

static void a_list_of_nodes_holds_what_it_stands_for(void **state)
{
	static const struct {
		const char *list, *node;
		bool has;
	} cases[] = {
		{ "n1", "n1", true },
		{ "n1", "n11", false },
		{ "n11", "n1", false },
		{ "n1,n2", "n2", true },
		{ "n[1-3,7],m", "n2", true },
		{ "n[1-3,7],m", "n7", true },
		{ "n[1-3,7],m", "m", true },
		{ "n[1-3,7],m", "n4", false },
		{ "n[1-3,7],m", "n", false },
		{ "n[1-12]", "n10", true },
		{ "n[1-12]", "n010", false },
		{ "n[01-10]", "n09", true },
		{ "n[01-10]", "n9", false },
		{ "n[1-3,07]", "n07", true },
		{ "n[1-3,07]", "n7", false },
		{ "n[98-102]", "n101", true },
		{ "r[1-2]n[1-4]-ib", "r2n4-ib", true },
		{ "r[1-2]n[1-4]-ib", "r3n4-ib", false },
		{ "r[1-2]n[1-4]-ib", "r2n4", false },
		{ "", "n1", false },
		{ "n1", "", false },
		{ ",,", "n1", false },
		{ "n[1-3", "n2", false },
		{ "n[a-z]", "nb", false },
		{ "n[99999999999999999999]", "n99999999999999999999", false },
		{ "(null)", "n1", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (hostlist_has(cases[i].list, cases[i].node) != cases[i].has)
			fail_msg("'%s' in '%s'", cases[i].node, cases[i].list);
	}
}

static void add(struct job_list *list, const char *name, enum job_state state, const char *queue,
		const char *nodes, uint64_t age_s)
{
	struct job job;

	job_init(&job);
	job.id = list->len + 1;
	job.state = state;
	job.created_ns = NOW - age_s * NSEC_PER_SEC;
	job_set(&job, name, name);
	job_set(&job, queue, queue);
	job_set(&job, jobset, state == JOB_QUEUED ? "night" : "day");
	job_set(&job, node_list, nodes);
	job_list_take(list, &job);
}

static void fill(struct job_list *list)
{
	add(list, "train-1", JOB_RUNNING, "gpu", "n[1-2]", 3600);
	add(list, "train-2", JOB_QUEUED, "gpu", "", 60);
	add(list, "eval", JOB_FAILED, "debug", "n3", 7200);
	add(list, "", JOB_UNKNOWN, "", "", 10);
}

static void value(struct opt_list *list, const char *text)
{
	list->items[list->len++] = text;
}

/* The numbers of the jobs that are left, as a decimal number: 134 for jobs 1, 3 and 4. */
static int left(const struct filter_args *args)
{
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	struct filter filter;
	struct err err;
	int result = 0;

	fill(&jobs);
	if (filter_parse(args, &filter, &err) < 0)
		fail_msg("%s", err.text);
	filter_apply(&filter, NOW, &jobs);
	for (size_t i = 0; i < jobs.len; i++)
		result = result * 10 + (int)jobs.items[i].id;
	return result;
}

static void no_option_accepts_every_job(void **state)
{
	struct filter_args args = { 0 };
	struct filter filter;

	(void)state;
	assert_int_equal(left(&args), 1234);
	assert_int_equal(filter_parse(&args, &filter, NULL), 0);
	assert_true(filter_is_empty(&filter));
	assert_true(filter_is_empty(&(struct filter){ 0 }));
}

static void states_are_ours_in_any_case_and_two_groups(void **state)
{
	struct filter_args running = { 0 }, two = { 0 }, open = { 0 }, ended = { 0 };

	(void)state;
	value(&running.states, "running");
	assert_int_equal(left(&running), 1);
	value(&two.states, "Queued,FAILED");
	value(&two.states, "UNKNOWN");
	assert_int_equal(left(&two), 234);
	value(&open.states, "open");
	assert_int_equal(left(&open), 124);
	value(&ended.states, "ended");
	assert_int_equal(left(&ended), 3);
}

static void a_state_that_there_is_not_is_refused_with_those_that_there_are(void **state)
{
	struct filter_args args = { 0 }, none = { 0 };
	struct filter filter;
	struct err err;

	(void)state;
	value(&args.states, "RUNNING,PENDING");
	assert_int_equal(filter_parse(&args, &filter, &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_non_null(strstr(err.text, "'PENDING' is no state of a job: there are open, ended,"));
	args = (struct filter_args){ 0 };
	value(&args.states, "runing");
	assert_int_equal(filter_parse(&args, &filter, &err), -1);
	assert_string_equal(err.text, "'runing' is no state of a job: did you mean RUNNING?");
	value(&none.states, ",");
	assert_int_equal(filter_parse(&none, &filter, &err), -1);
}

static void values_of_one_kind_are_joined_by_or_and_kinds_by_and(void **state)
{
	struct filter_args args = { 0 };
	struct filter filter;

	(void)state;
	value(&args.names, "train*");
	assert_int_equal(left(&args), 12);
	value(&args.names, "eval,nothing");
	assert_int_equal(left(&args), 123);
	value(&args.queues, "gpu");
	assert_int_equal(left(&args), 12);
	value(&args.jobsets, "da*");
	assert_int_equal(left(&args), 1);
	value(&args.jobsets, "night");
	assert_int_equal(left(&args), 12);
	value(&args.nodes, "n2,n3");
	assert_int_equal(left(&args), 1);
	value(&args.states, "QUEUED");
	assert_int_equal(left(&args), 0);
	assert_int_equal(filter_parse(&args, &filter, NULL), 0);
	assert_false(filter_is_empty(&filter));
}

static void each_option_alone_is_not_nothing(void **state)
{
	struct filter_args args = { 0 };
	struct opt_list *const lists[] = { &args.states, &args.names, &args.queues, &args.jobsets,
					   &args.nodes };
	struct filter filter;

	(void)state;
	assert_int_equal(filter_parse(&args, &filter, NULL), 0);
	assert_true(filter_is_empty(&filter));
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		args = (struct filter_args){ 0 };
		value(lists[i], "open");
		assert_int_equal(filter_parse(&args, &filter, NULL), 0);
		assert_false(filter_is_empty(&filter));
	}
}

static void age_counts_from_the_submission(void **state)
{
	struct filter_args args = { .older_than_ns = 3600 * NSEC_PER_SEC };

	(void)state;
	assert_int_equal(left(&args), 13);
	args.older_than_ns++;
	assert_int_equal(left(&args), 3);
	args.older_than_ns = UINT64_MAX;
	assert_int_equal(left(&args), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_of_nodes_holds_what_it_stands_for),
		cmocka_unit_test(no_option_accepts_every_job),
		cmocka_unit_test(states_are_ours_in_any_case_and_two_groups),
		cmocka_unit_test(a_state_that_there_is_not_is_refused_with_those_that_there_are),
		cmocka_unit_test(values_of_one_kind_are_joined_by_or_and_kinds_by_and),
		cmocka_unit_test(each_option_alone_is_not_nothing),
		cmocka_unit_test(age_counts_from_the_submission),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
