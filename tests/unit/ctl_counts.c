/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controller/model/job_count.h"
#include "controller/output/describe.h"
#include "init/base/buf.h"

static void add(struct job_counts *counts, enum job_state state, const char *queue)
{
	cleanup(job_finish) struct job job = { 0 };

	job_init(&job);
	job.state = state;
	job_set(&job, queue, queue);
	job_set(&job, jobset, state == JOB_FAILED ? "b" : "a");
	job_counts_add(counts, &job);
}

/* "QUEUED gpu 2;..." of the same six jobs. */
static char *counted(const char *keys)
{
	cleanup(job_counts_finish) struct job_counts counts = { 0 };
	cleanup(buf_finish) struct buf text = BUF_INIT(4096);

	assert_int_equal(job_counts_init(&counts, keys, NULL), 0);
	add(&counts, JOB_RUNNING, "gpu");
	add(&counts, JOB_QUEUED, "gpu");
	add(&counts, JOB_FAILED, "debug");
	add(&counts, JOB_QUEUED, "gpu");
	add(&counts, JOB_QUEUED, "debug");
	add(&counts, JOB_RUNNING, "");
	for (size_t i = 0; i < counts.len; i++) {
		for (size_t key = 0; key < counts.keys_len; key++)
			assert_true(buf_printf(
				&text, "%s ", job_count_value(&counts.items[i], counts.keys[key])));
		assert_true(buf_printf(&text, "%" PRIu64 ";", counts.items[i].count));
	}
	return buf_take_str(&text);
}

static void jobs_are_counted_by_what_is_asked_for(void **state)
{
	static const struct {
		const char *keys, *counted;
	} cases[] = {
		{ "state", "QUEUED 3;RUNNING 2;FAILED 1;" },
		{ "queue", " 1;debug 2;gpu 3;" },
		{ "user", " 6;" },
		{ "jobset,state", "a QUEUED 3;a RUNNING 2;b FAILED 1;" },
		{ "queue,state",
		  " RUNNING 1;debug QUEUED 1;debug FAILED 1;gpu QUEUED 2;gpu RUNNING 1;" },
		{ "state,queue",
		  "QUEUED debug 1;QUEUED gpu 2;RUNNING  1;RUNNING gpu 1;FAILED debug 1;" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup_free char *text = counted(cases[i].keys);

		assert_string_equal(text, cases[i].counted);
	}
}

static void a_key_that_there_is_not_is_refused(void **state)
{
	struct job_counts counts;
	struct err err;

	(void)state;
	assert_int_equal(job_counts_init(&counts, "state,colour", &err), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_non_null(strstr(err.text, "'colour' is not one of state, queue"));
	assert_int_equal(job_counts_init(&counts, "state,state", &err), -1);
	assert_int_equal(job_counts_init(&counts, "", &err), -1);
	assert_int_equal(job_counts_init(&counts, "state,queue,jobset,user,backend,state", &err),
			 -1);
}

/* The description of a job; free() it. */
static char *described(const struct job *job)
{
	struct output output = { .now_ns = UINT64_C(1790000000) * NSEC_PER_SEC };
	char *text = NULL;
	size_t len;

	output.out = open_memstream(&text, &len);
	output_describe_job(job, &output);
	fclose(output.out);
	return text;
}

static void a_description_tells_why_a_job_failed_and_what_to_do_next(void **state)
{
	cleanup(job_finish) struct job job = { 0 };
	cleanup_free char *text = NULL;

	(void)state;
	job_init(&job);
	job.id = 7;
	job.state = JOB_FAILED;
	job.signal = 9;
	job.attempts = 2;
	job.nodes = 2;
	job.tasks = 4;
	job.started_ns = UINT64_C(1789999000) * NSEC_PER_SEC;
	job.ended_ns = UINT64_C(1789999042) * NSEC_PER_SEC;
	job_set(&job, native_state, "OUT_OF_MEMORY");
	job_set(&job, reason, "its memory\033[2J");
	job_set(&job, node_list, "n[1-2]");
	text = described(&job);
	assert_non_null(strstr(text, "State:        FAILED (OUT_OF_MEMORY)\n"));
	assert_non_null(strstr(text, "Reason:       its memory?[2J\n"));
	assert_non_null(strstr(text, "Signal:       9 (Killed)\n"));
	assert_non_null(strstr(text, "Attempts:     2\n"));
	assert_non_null(strstr(text, "Nodes:        2, n[1-2]\n"));
	assert_non_null(strstr(text, "Time:         42s\n"));
	assert_non_null(strstr(text, "Its errors:   berth logs --stderr job-7\n"));
	assert_null(strstr(text, "Exit status"));
	assert_null(strstr(text, "Enter it"));
	assert_null(strchr(text, '\033'));
}

static void a_description_leaves_out_what_is_not_known(void **state)
{
	cleanup(job_finish) struct job job = { 0 };
	cleanup_free char *text = NULL;

	(void)state;
	job_init(&job);
	job.id = 1;
	job.nodes = job.tasks = 1;
	job_set(&job, command, "true");
	job_set(&job, directory, "/d");
	text = described(&job);
	assert_string_equal(text, "Job:          job-1\nState:        DEFINED\nNodes:        1\n"
				  "Ranks:        1\nCommand:      true\nDirectory:    /d\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(jobs_are_counted_by_what_is_asked_for),
		cmocka_unit_test(a_key_that_there_is_not_is_refused),
		cmocka_unit_test(a_description_tells_why_a_job_failed_and_what_to_do_next),
		cmocka_unit_test(a_description_leaves_out_what_is_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
