/* SPDX-License-Identifier: MIT */
/* Arrays: their indices, what their tasks say together, and how they are kept. */
#include "tests/unit/unit.h"

#include <string.h>
#include <unistd.h>

#include "controller/model/ref.h"
#include "init/base/indices.h"
#include "controller/model/run.h"
#include "controller/store/store.h"

static void assert_indices(const char *text, const char *expected)
{
	char found[200] = "";
	size_t at = 0;

	for (uint64_t i = 0; indices_next(text, i, &i); i++)
		at += (size_t)snprintf(found + at, sizeof(found) - at, "%s%llu", at ? " " : "",
				       (unsigned long long)i);
	assert_string_equal(found, expected);
}

static void indices_are_counted_in_order_and_once(void **state)
{
	(void)state;
	assert_indices("7", "7");
	assert_indices("0-9:2,15%4", "0 2 4 6 8 15");
	assert_indices("5-6,1,5-7", "1 5 6 7");
	assert_indices("1-4:9", "1");
	assert_int_equal(indices_count("0-999"), 1000);
	assert_int_equal(indices_count("0-9,5-14"), 15);
	assert_int_equal(indices_count("0-9:4%2"), 3);
	assert_int_equal(indices_last("0-9:4%2"), 8);
	assert_int_equal(indices_last("7,0-5"), 7);
	assert_int_equal(indices_last(""), 0);
	assert_true(indices_have("0-9:2", 8));
	assert_false(indices_have("0-9:2", 9));
	assert_false(indices_have("0-9:2", 10));
}

static void the_nth_of_them_is_found(void **state)
{
	uint64_t index = 0;

	(void)state;
	assert_true(indices_nth("9,1-5:2", 0, &index) && index == 1);
	assert_true(indices_nth("9,1-5:2%1", 3, &index) && index == 9);
	assert_false(indices_nth("9,1-5:2", 4, &index));
	assert_int_equal(index, 9);
}

static void those_before_one_of_them_are_counted(void **state)
{
	uint64_t n = 7;

	(void)state;
	assert_false(indices_count_before("9,1-5:2", 2, &n));
	assert_int_equal(n, 7);
	assert_true(indices_count_before("9,1-5:2", 1, &n) && n == 0);
	assert_true(indices_count_before("9,1-5:2%1", 9, &n) && n == 3);
}

static void what_is_no_list_of_indices_is_known(void **state)
{
	static const char *const good[] = { "0", "1,3", "0-9", "0-9:2%4", "3%1", "1000000" };
	static const char *const bad[] = { "",
					   ",",
					   "1,",
					   "-1",
					   "1-",
					   "2-1",
					   "1:2",
					   "1%0",
					   "1%",
					   "1%2%3",
					   "1-3:0",
					   "a",
					   "1 2",
					   "1000001",
					   "1]",
					   "%4",
					   "1-2-3",
					   "99999999999",
					   "1-3:99999999999" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(indices_are_valid(good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(indices_are_valid(bad[i]));
}

static void the_ranks_of_an_array_of_single_processes_are_its_indices(void **state)
{
	struct job array = { .id = 7, .tasks = 1, .array = (char *)(uintptr_t) "3-9:3" };
	const struct job plain = { .id = 8, .tasks = 3 };
	char label[JOB_LABEL_SIZE];
	struct err err;

	(void)state;
	assert_true(job_has_rank(&array, 9));
	assert_false(job_has_rank(&array, 2));
	assert_true(job_has_rank(&plain, 2));
	assert_int_equal(job_check_rank(&array, 0, &err), -1);
	assert_string_equal(err.text, "job-7 has no task 0: its array is 3-9:3");
	assert_int_equal(job_check_rank(&plain, 3, &err), -1);
	assert_string_equal(err.text, "job-8 has no rank 3: its ranks are 0 to 2");
	assert_int_equal(job_count_ranks(&array), 3);
	assert_int_equal(job_count_ranks(&plain), 3);
	job_rank_label(&array, 9, label);
	assert_string_equal(label, "job-7_9");
	job_rank_label(&plain, 2, label);
	assert_string_equal(label, "job-8.2");
	array.only = (char *)(uintptr_t) "6";
	job_label(&array, label);
	assert_string_equal(label, "job-7_6");
}

static void each_task_of_an_array_has_as_many_ranks(void **state)
{
	struct job array = { .id = 7, .tasks = 4, .array = (char *)(uintptr_t) "1,3-5:2%2" };
	char label[JOB_LABEL_SIZE], found[80] = "";
	size_t at = 0;

	(void)state;
	for (uint64_t rank = 0; job_next_rank(&array, rank, &rank); rank++)
		at += (size_t)snprintf(found + at, sizeof(found) - at, "%llu ",
				       (unsigned long long)rank);
	assert_string_equal(found, "4 5 6 7 12 13 14 15 20 21 22 23 ");
	assert_int_equal(job_count_ranks(&array), 12);
	assert_int_equal(job_first_rank(&array, 3), 12);
	assert_int_equal(job_task_of_rank(&array, 15), 3);
	assert_false(job_has_rank(&array, 8));
	job_rank_label(&array, 13, label);
	assert_string_equal(label, "job-7_3.1");
	assert_true(job_means_rank(&array, 4));
	array.only = (char *)(uintptr_t) "3,5";
	assert_false(job_means_rank(&array, 4));
	assert_true(job_means_rank(&array, 15));
	assert_int_equal(job_count_ranks(&array), 8);
	assert_true(job_ranks_fit("0-99999", 4096));
	assert_false(job_ranks_fit("1000000", 4096));
	assert_true(job_ranks_fit("", UINT64_MAX));
}

static struct ref ref_of(const char *text)
{
	struct ref ref;

	assert_int_equal(ref_parse(text, &ref, NULL), 0);
	return ref;
}

static void a_rank_of_a_task_is_named_by_both(void **state)
{
	const struct job array = { .id = 7, .tasks = 4, .array = (char *)(uintptr_t) "1-3" };
	const struct job plain = { .id = 7, .tasks = 4 };
	static const struct {
		const char *text;
		int of_array, of_plain; /* -1: refused */
	} cases[] = { { "7", 4, 0 },	   { "7_2", 8, 2 },	{ "7.2", 8, 2 },
		      { "7_2.3", 11, -1 }, { "7_2.4", -1, -1 }, { "7_0.1", -1, -1 },
		      { "7.0", -1, 0 },	   { "7.4", -1, -1 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ref ref = ref_of(cases[i].text);
		unsigned int rank = UINT32_MAX;

		if (ref_choose_rank(&ref, &array, &rank, NULL) < 0)
			rank = UINT32_MAX;
		assert_int_equal((int)rank, cases[i].of_array);
		if (ref_choose_rank(&ref, &plain, &rank, NULL) < 0)
			rank = UINT32_MAX;
		assert_int_equal((int)rank, cases[i].of_plain);
	}
}

static void what_is_no_rank_of_a_task_is_refused_with_what_there_is(void **state)
{
	const struct job array = { .id = 7, .tasks = 4, .array = (char *)(uintptr_t) "1-3" };
	const struct job plain = { .id = 8, .tasks = 4 };
	struct ref many = ref_of("7_2.4"), elsewhere = ref_of("7_4.0"), no_task = ref_of("8_2.3");
	unsigned int rank;
	struct err err;

	(void)state;
	assert_int_equal(ref_choose_rank(&many, &array, &rank, &err), -1);
	assert_string_equal(err.text, "job-7_2 has no rank 4: its ranks are 0 to 3");
	assert_int_equal(ref_choose_rank(&elsewhere, &array, &rank, &err), -1);
	assert_string_equal(err.text, "job-7 has no task 4: its array is 1-3");
	assert_int_equal(ref_choose_rank(&no_task, &plain, &rank, &err), -1);
	assert_string_equal(err.text, "job-8 is no array: its rank 3 is job-8.3");
}

static struct run_fold fold(const enum job_state *states, size_t len)
{
	cleanup(run_list_finish) struct run_list runs = { 0 };
	struct run_fold result;

	for (size_t i = 0; i < len; i++) {
		struct run *run = run_list_add(&runs, i);

		run->state = states[i];
		run->exit_code = states[i] == JOB_FAILED ? (int)i : JOB_NO_EXIT_CODE;
		run->started_ns = 100 - i;
		run->ended_ns = job_state_is_ended(states[i]) ? 200 + i : 0;
		run->attempt = i;
	}
	run_list_fold(&runs, &result);
	return result;
}

#define FOLD(...)                                     \
	fold((const enum job_state[]){ __VA_ARGS__ }, \
	     sizeof((const enum job_state[]){ __VA_ARGS__ }) / sizeof(enum job_state))

static void an_array_is_what_its_tasks_are(void **state)
{
	struct run_fold one = FOLD(JOB_SUCCEEDED, JOB_RUNNING, JOB_FAILED, JOB_QUEUED);

	(void)state;
	assert_int_equal(one.state, JOB_RUNNING);
	assert_string_equal(one.counts, "1 RUNNING, 1 QUEUED, 1 FAILED, 1 SUCCEEDED");
	assert_int_equal(one.exit_code, JOB_NO_EXIT_CODE);
	assert_int_equal(one.ended_ns, 0);
	assert_int_equal(one.started_ns, 97);
	one = FOLD(JOB_SUCCEEDED, JOB_QUEUED, JOB_SUCCEEDED);
	assert_int_equal(one.state, JOB_QUEUED);
	one = FOLD(JOB_SUCCEEDED, JOB_CANCELLED, JOB_FAILED, JOB_FAILED);
	assert_int_equal(one.state, JOB_FAILED);
	assert_int_equal(one.exit_code, 2); /* of the first that failed */
	assert_int_equal(one.ended_ns, 203);
	assert_int_equal(one.attempts, 3);
	one = FOLD(JOB_SUCCEEDED, JOB_SUCCEEDED);
	assert_int_equal(one.state, JOB_SUCCEEDED);
	assert_string_equal(one.counts, "");
	assert_int_equal(FOLD(JOB_SUCCEEDED, JOB_UNKNOWN).state, JOB_UNKNOWN);
	assert_int_equal(FOLD(JOB_SUCCEEDED, JOB_CANCELLED).state, JOB_CANCELLED);
}

static struct store *open_store(char dir[], size_t size)
{
	cleanup_free char *path = NULL;
	struct store *store;

	snprintf(dir, size, "%s", "/tmp/berth-array.XXXXXX");
	assert_non_null(mkdtemp(dir));
	path = str_printf("%s/berth.db", dir);
	assert_int_equal(store_open(path, &store, NULL), 0);
	return store;
}

static void runs_are_kept_with_their_attempts(void **state)
{
	char dir[40];
	cleanup(store_close) struct store *store = open_store(dir, sizeof(dir));
	cleanup(run_list_finish) struct run_list runs = { 0 }, all = { 0 }, newest = { 0 };
	const struct job job = { .id = 7, .array = (char *)(uintptr_t) "4,2" };

	(void)state;
	run_list_init(&runs, &job);
	assert_int_equal(runs.items[0].task, 2);
	assert_int_equal(store_save_runs(store, 7, &runs, NULL), 0);
	assert_false(runs.items[0].has_changed);
	for (uint64_t attempt = 1; attempt <= 2; attempt++) {
		runs.items[1].attempt = attempt;
		runs.items[1].state = attempt == 2 ? JOB_RUNNING : JOB_FAILED;
		runs.items[1].max_rss = 1 << 20;
		runs.items[1].has_changed = true;
		run_set_text(&runs.items[1].node_list, "n1");
		assert_int_equal(store_save_runs(store, 7, &runs, NULL), 0);
	}
	assert_int_equal(store_list_runs(store, 7, false, &all, NULL), 0);
	assert_int_equal(all.len, 3); /* that it waited once is forgotten */
	assert_int_equal(all.items[0].attempt, 0);
	assert_int_equal(all.items[1].state, JOB_FAILED);
	assert_int_equal(store_list_runs(store, 7, true, &newest, NULL), 0);
	assert_int_equal(newest.len, 2);
	assert_int_equal(newest.items[1].attempt, 2);
	assert_int_equal(newest.items[1].state, JOB_RUNNING);
	assert_int_equal(newest.items[1].max_rss, 1 << 20);
	assert_string_equal(newest.items[1].node_list, "n1");
	run_list_finish(&all);
	assert_int_equal(store_delete_job(store, 7, NULL), 0);
	assert_int_equal(store_list_runs(store, 7, false, &all, NULL), 0);
	assert_int_equal(all.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(indices_are_counted_in_order_and_once),
		cmocka_unit_test(the_nth_of_them_is_found),
		cmocka_unit_test(those_before_one_of_them_are_counted),
		cmocka_unit_test(what_is_no_list_of_indices_is_known),
		cmocka_unit_test(the_ranks_of_an_array_of_single_processes_are_its_indices),
		cmocka_unit_test(each_task_of_an_array_has_as_many_ranks),
		cmocka_unit_test(a_rank_of_a_task_is_named_by_both),
		cmocka_unit_test(what_is_no_rank_of_a_task_is_refused_with_what_there_is),
		cmocka_unit_test(an_array_is_what_its_tasks_are),
		cmocka_unit_test(runs_are_kept_with_their_attempts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
