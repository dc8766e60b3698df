/* SPDX-License-Identifier: MIT */
/*
 * What slurmrestd of Slurm 22.05 (v0.0.38) and 24.11 (the others) answered about the same ten jobs,
 * cut to the members that are read. The files are the program's arguments.
 */
#include "tests/unit/unit.h"

#include <string.h>

#include "controller/backends/slurmrest/read.h"
#include "init/base/fs.h"

#define ANSWER_MAX (1024 * 1024)

static char **paths;

static const struct expected {
	const char *id, *tasks;
	enum job_state state;
	const char *native_state;
	int exit_code, signal;
	int account_exit_code; /* JOB_NO_EXIT_CODE: not there */
} jobs[] = {
	{ "1", "", JOB_SUCCEEDED, "COMPLETED", 0, 0, 0 },
	{ "2", "", JOB_FAILED, "FAILED", 3, 0, 3 },
	{ "3", "", JOB_FAILED, "FAILED", JOB_NO_EXIT_CODE, 9, JOB_NO_EXIT_CODE },
	{ "4", "", JOB_CANCELLED, "CANCELLED", JOB_NO_EXIT_CODE, 15, JOB_NO_EXIT_CODE },
	{ "5", "0", JOB_SUCCEEDED, "COMPLETED", 0, 0, 0 },
	{ "5", "1", JOB_FAILED, "FAILED", 1, 0, 1 },
	{ "6", "", JOB_QUEUED, "PENDING", JOB_NO_EXIT_CODE, 0, JOB_NO_EXIT_CODE },
	{ "7", "3-5,9%2", JOB_QUEUED, "PENDING", JOB_NO_EXIT_CODE, 0, JOB_NO_EXIT_CODE },
	{ "8", "", JOB_FAILED, "OUT_OF_MEMORY", JOB_NO_EXIT_CODE, 9, JOB_NO_EXIT_CODE },
	{ "9", "", JOB_RUNNING, "RUNNING", JOB_NO_EXIT_CODE, 0, JOB_NO_EXIT_CODE },
};

static json_t *load(const char *path)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(ANSWER_MAX);
	json_t *json = NULL;
	struct err err;

	if (fs_read_file(path, ANSWER_MAX, &text, &err) < 0 ||
	    json_parse(buf_span(&text), SIZE_MAX, &json, &err) < 0)
		fail_msg("%s: %s", path, err.text);
	return json;
}

static const struct expected *find(const struct slurmrest_job *job)
{
	for (size_t i = 0; i < ARRAY_LEN(jobs); i++) {
		if (strcmp(jobs[i].id, job->id) == 0 && strcmp(jobs[i].tasks, job->tasks) == 0)
			return &jobs[i];
	}
	fail_msg("no job %s, tasks '%s'", job->id, job->tasks);
	return NULL;
}

static void check(const struct slurmrest_job *job, const struct expected *expected)
{
	const struct observation *seen = &job->seen;

	assert_int_equal(seen->state, expected->state);
	assert_string_equal(seen->native_state, expected->native_state);
	assert_string_equal(seen->queue, "debug");
	assert_string_equal(seen->node_list, seen->state == JOB_QUEUED ? "" : "node1");
	assert_true((seen->started_ns > 0) == (seen->state != JOB_QUEUED));
	assert_true((seen->ended_ns >= seen->started_ns && seen->ended_ns > 0) ==
		    job_state_is_ended(seen->state));
}

static void the_controller_tells_the_same_in_each_version(void **state)
{
	static struct slurmrest_job job;
	const json_t *each;
	size_t i;

	(void)state;
	for (char **path = paths; *path; path++) {
		cleanup(json_release) json_t *answer = load(*path);
		const json_t *all = json_object_get(answer, "jobs");

		assert_int_equal(json_array_size(all), ARRAY_LEN(jobs));
		json_array_foreach(all, i, each) {
			const struct expected *expected;

			assert_true(slurmrest_read_job(each, &job));
			expected = find(&job);
			check(&job, expected);
			assert_int_equal(job.seen.exit_code, expected->exit_code);
			assert_int_equal(job.seen.signal, expected->signal);
			if (job.seen.state == JOB_QUEUED)
				assert_string_equal(job.seen.reason, "BeginTime");
		}
	}
}

/* Slurm 22.05 says there of every exit status that it is 0; the status file knows better. */
static void accounts_tell_the_same_but_for_exit_statuses_of_the_oldest(void **state)
{
	static struct slurmrest_job job;
	const json_t *each;
	size_t i;

	(void)state;
	for (char **path = paths; *path; path++) {
		cleanup(json_release) json_t *answer = load(*path);
		const json_t *all = json_object_get(answer, "accounts");
		bool is_oldest = strstr(*path, "v0.0.38") != NULL;

		assert_int_equal(json_array_size(all), ARRAY_LEN(jobs) - 2);
		json_array_foreach(all, i, each) {
			const struct expected *expected;

			assert_true(slurmrest_read_account(each, &job));
			expected = find(&job);
			check(&job, expected);
			assert_int_equal(job.seen.exit_code,
					 is_oldest && expected->account_exit_code > 0
						 ? JOB_NO_EXIT_CODE
						 : expected->account_exit_code);
			assert_int_equal(job.seen.signal,
					 expected->state == JOB_CANCELLED ? 0 : expected->signal);
		}
	}
}

static void nodes_and_queues_are_the_same_in_each_version(void **state)
{
	(void)state;
	for (char **path = paths; *path; path++) {
		cleanup(json_release) json_t *answer = load(*path);
		cleanup(node_list_finish) struct node_list nodes = { 0 };
		cleanup(queue_list_finish) struct queue_list queues = { 0 };

		slurmrest_read_nodes(answer, &nodes);
		assert_int_equal(nodes.len, 1);
		assert_string_equal(nodes.items[0].name, "node1");
		assert_string_equal(nodes.items[0].state, "mixed");
		assert_string_equal(nodes.items[0].features, "rack1,fast");
		assert_int_equal(nodes.items[0].cpus, 32);
		assert_int_equal(nodes.items[0].cpus_used, 1);
		assert_int_equal(nodes.items[0].memory, UINT64_C(4096) << 20);
		slurmrest_read_queues(answer, &nodes, &queues);
		assert_int_equal(queues.len, 1);
		assert_string_equal(queues.items[0].name, "debug");
		assert_string_equal(queues.items[0].state, "up");
		assert_int_equal(queues.items[0].cpus, 32);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_controller_tells_the_same_in_each_version),
		cmocka_unit_test(accounts_tell_the_same_but_for_exit_statuses_of_the_oldest),
		cmocka_unit_test(nodes_and_queues_are_the_same_in_each_version),
	};

	if (argc < 2)
		return 64;
	paths = argv + 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
