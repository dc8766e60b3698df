/* SPDX-License-Identifier: MIT */
/* One rank of several, as those see it who look at jobs. */
#include "tests/unit/unit.h"

#include <string.h>

#include "controller/ops/jobs.h"
#include "controller/ops/runs.h"
#include "controller/ops/submit.h"
#include "init/base/fs.h"
#include "tests/unit/ctl_user.h"

#define STATUS(rank, state, code, ended)                                                       \
	"{\"version\":1,\"rank\":" rank ",\"state\":\"" state "\",\"pid\":12,\"init_pid\":1,"  \
	"\"started\":1790000000.1,\"ended\":" ended ",\"exit_code\":" code ",\"signal\":null," \
	"\"peak_rss_kib\":2048,\"user_s\":0.5,\"system_s\":0.5}"

static void leave(const struct job *job, const char *name, const char *text)
{
	cleanup_free char *path = fs_join(job->directory, name);

	assert_int_equal(fs_write_file(path, span_of_str(text), 0600, NULL), 0);
}

/* job-1 of three ranks, or tasks of as many, which runs on two nodes. */
static struct job running(const char *array)
{
	static const char *const command[] = { "true", NULL };
	const struct spec spec = {
		.command = command, .workdir = "/", .array = array, .nodes = 2, .tasks = 3
	};
	cleanup(notes_finish) struct notes notes = { 0 };
	struct job job;
	struct err err;

	if (ops_submit(user.c, "fake", &spec, &job, &notes, &err) < 0)
		fail_msg("%s", err.text);
	job_set(&job, node_list, "n[1-2]");
	assert_int_equal(store_update_job(user.c->store, &job, NULL), 0);
	fake_set(user.fake, 0, JOB_RUNNING, JOB_NO_EXIT_CODE);
	return job;
}

static struct job shown(const char *name)
{
	struct job job;
	struct err err;

	if (ops_find_to_show(user.c, name, &job, &err) < 0 || ops_refresh_job(user.c, &job, &err))
		fail_msg("%s", err.text);
	return job;
}

static void a_rank_is_told_by_what_it_left(void **state)
{
	cleanup(job_finish) struct job job = running(NULL), rank = { 0 }, other = { 0 };
	cleanup(run_list_finish) struct run_list runs = { 0 };
	char label[JOB_LABEL_SIZE];

	(void)state;
	leave(&job, "status.1.json", STATUS("1", "exited", "3", "1790000001.5"));
	leave(&job, "status.2.json", STATUS("2", "running", "null", "null"));
	leave(&job, "endpoint.2.json", "{\"host\": \"n2.example.org\"}");
	rank = shown("job-1.1");
	job_label(&rank, label);
	assert_string_equal(label, "job-1.1");
	assert_int_equal(rank.state, JOB_FAILED);
	assert_int_equal(rank.exit_code, 3);
	assert_string_equal(rank.native_state, "");
	assert_string_equal(rank.node_list, "n[1-2]");
	assert_int_equal(job_count_ranks(&rank), 1);
	assert_int_equal(ops_list_runs(user.c, &rank, &runs, NULL), 0);
	assert_int_equal(runs.len, 1);
	assert_int_equal(runs.items[0].exit_code, 3);
	assert_int_equal(runs.items[0].max_rss, 2048 * 1024);
	other = shown("1.2");
	assert_int_equal(other.state, JOB_RUNNING);
	assert_int_equal(other.exit_code, JOB_NO_EXIT_CODE);
	assert_string_equal(other.native_state, "fake-RUNNING");
	assert_string_equal(other.node_list, "n2");
	assert_int_equal(other.nodes, 1);
}

static void what_is_not_known_of_a_rank_is_left_open(void **state)
{
	cleanup(job_finish) struct job job = running(NULL), rank = { 0 }, done = { 0 };

	(void)state;
	/* A host that is none of the job's nodes, and a file that is none. */
	leave(&job, "endpoint.0.json", "{\"host\": \"elsewhere\"}");
	leave(&job, "endpoint.1.json", "{\"host\": 7}");
	leave(&job, "status.0.json", STATUS("0", "exited", "0", "1790000001.5"));
	fake_set(user.fake, 0, JOB_FAILED, 3);
	rank = shown("job-1.1");
	assert_int_equal(rank.state, JOB_FAILED);
	assert_int_equal(rank.exit_code, JOB_NO_EXIT_CODE);
	assert_string_equal(rank.node_list, "n[1-2]");
	done = shown("job-1.0");
	assert_int_equal(done.state, JOB_SUCCEEDED);
	assert_int_equal(done.exit_code, 0);
	assert_string_equal(done.node_list, "n[1-2]");
}

static void what_an_attempt_left_is_not_that_of_the_next(void **state)
{
	cleanup(job_finish) struct job job = running(NULL), rank = { 0 };

	(void)state;
	leave(&job, "status.1.json", STATUS("1", "exited", "3", "1790000001.5"));
	fake_set(user.fake, 0, JOB_QUEUED, JOB_NO_EXIT_CODE);
	rank = shown("job-1.1");
	assert_int_equal(rank.state, JOB_QUEUED);
	assert_int_equal(rank.exit_code, JOB_NO_EXIT_CODE);
}

static void ranks_of_a_job_are_asked_about_once_and_recorded_as_the_job(void **state)
{
	static char *names[] = { "job-1.1", "job-1", "job-1.2", "1.1" };
	const struct selection selection = { .jobs = names, .len = 4, .is_to_show = true };
	cleanup(job_finish) struct job job = running(NULL), recorded = { 0 };
	cleanup(job_list_finish) struct job_list jobs = { 0 };

	(void)state;
	leave(&job, "status.1.json", STATUS("1", "exited", "0", "1790000001.5"));
	fake_set(user.fake, 0, JOB_FAILED, 3);
	assert_int_equal(ops_select(user.c, &selection, &jobs, NULL), 0);
	assert_int_equal(jobs.len, 3);
	assert_int_equal(fake_counts(user.fake).observes, 1);
	assert_int_equal(jobs.items[0].state, JOB_SUCCEEDED);
	assert_int_equal(jobs.items[1].exit_code, 3);
	assert_int_equal(jobs.items[2].state, JOB_FAILED);
	assert_int_equal(store_find_by_id(user.c->store, 1, &recorded, NULL), 0);
	assert_int_equal(recorded.state, JOB_FAILED);
	assert_int_equal(recorded.exit_code, 3);
	assert_string_equal(recorded.node_list, "n[1-2]");
}

static void only_who_looks_may_mean_a_rank(void **state)
{
	cleanup(job_finish) struct job job = running(NULL), found = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(ops_find_text(user.c, "job-1.1", &found, &err), -1);
	assert_non_null(strstr(err.text, "its ranks start and end together, say job-1"));
	assert_int_equal(ops_find_to_show(user.c, "job-1.3", &found, &err), -1);
	assert_int_equal(err.kind, ERR_NOT_FOUND);
	assert_string_equal(err.text, "job-1 has no rank 3: its ranks are 0 to 2");
	assert_int_equal(ops_find_to_show(user.c, "job-1_0.1", &found, &err), -1);
	assert_non_null(strstr(err.text, "job-1 is no array"));
}

static void a_rank_of_a_task_is_one_of_its_array(void **state)
{
	cleanup(job_finish) struct job job = running("1-4"), rank = { 0 };
	char label[JOB_LABEL_SIZE];

	(void)state;
	assert_int_equal(ops_find_to_show(user.c, "job-1_2.1", &rank, NULL), 0);
	assert_true(rank.of_rank && rank.rank == 7);
	assert_string_equal(rank.only, "2");
	job_label(&rank, label);
	assert_string_equal(label, "job-1_2.1");
	assert_true(job_means_rank(&rank, 7) && !job_means_rank(&rank, 6));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(test) cmocka_unit_test_setup_teardown(test, user_set_up, user_tear_down)
		T(a_rank_is_told_by_what_it_left),
		T(what_is_not_known_of_a_rank_is_left_open),
		T(what_an_attempt_left_is_not_that_of_the_next),
		T(ranks_of_a_job_are_asked_about_once_and_recorded_as_the_job),
		T(only_who_looks_may_mean_a_rank),
		T(a_rank_of_a_task_is_one_of_its_array),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
