/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/backends/jobdir.h"
#include "controller/model/status.h"
#include "init/base/fs.h"

#define RUNNING                                                                         \
	"{\"version\":1,\"rank\":0,\"state\":\"running\",\"pid\":12,\"init_pid\":1,"    \
	"\"started\":1790000000.123,\"ended\":null,\"exit_code\":null,\"signal\":null," \
	"\"core_dumped\":false,\"peak_rss_kib\":0,\"user_s\":0.0,\"system_s\":0.0,"     \
	"\"tunnel_restarts\":0}\n"
#define EXITED(code, signal)                                                        \
	"{\"version\":1,\"rank\":0,\"state\":\"exited\",\"pid\":12,\"init_pid\":1," \
	"\"started\":1790000000.1,\"ended\":1790000001.5,\"exit_code\":" code       \
	",\"signal\":" signal "}"

#define HELD(until)                                                               \
	"{\"version\":1,\"rank\":0,\"state\":\"held\",\"pid\":12,\"init_pid\":1," \
	"\"started\":1790000000.1,\"ended\":1790000001.5,\"hold_until\":" until   \
	",\"exit_code\":3,\"signal\":null,\"timed_out\":false,\"oom_killed\":false}"

#define USED(code, signal, kib, seconds)                                            \
	"{\"version\":1,\"rank\":0,\"state\":\"exited\",\"pid\":12,\"init_pid\":1," \
	"\"started\":1790000000.1,\"ended\":1790000001.5,\"exit_code\":" code       \
	",\"signal\":" signal ",\"peak_rss_kib\":" kib ",\"user_s\":" seconds       \
	",\"system_s\":0.0,\"oom_killed\":true}"

static char dir[64];

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/berth-status-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return fs_remove_tree(dir, NULL);
}

static void what_berth_init_writes_is_understood(void **state)
{
	struct status status;

	(void)state;
	assert_int_equal(status_parse(span_of_str(RUNNING), &status, NULL), 0);
	assert_false(status.exited);
	assert_int_equal(status.pid, 12);
	assert_int_equal(status.started_ns, UINT64_C(1790000000123000000));
	assert_int_equal(status.ended_ns, 0);
	assert_int_equal(status.exit_code, -1);
	assert_int_equal(status_parse(span_of_str(EXITED("3", "null")), &status, NULL), 0);
	assert_true(status.exited);
	assert_int_equal(status.exit_code, 3);
	assert_int_equal(status.signal, 0);
	assert_int_equal(status_parse(span_of_str(EXITED("null", "9")), &status, NULL), 0);
	assert_int_equal(status.signal, 9);
	assert_int_equal(status_parse(span_of_str(HELD("1790001801.5")), &status, NULL), 0);
	assert_true(status.held && !status.exited);
	assert_int_equal(status.exit_code, 3);
	assert_int_equal(status.hold_until_ns, UINT64_C(1790001801500000000));
}

static void anything_else_is_refused(void **state)
{
	static const char *const wrong[] = {
		"",
		"{",
		"[]",
		"null",
		RUNNING "x",
		"{\"version\":2,\"state\":\"running\",\"pid\":1,\"init_pid\":1,\"rank\":0}",
		"{\"version\":1,\"state\":\"asleep\",\"pid\":1,\"init_pid\":1,\"rank\":0}",
		"{\"version\":1,\"state\":\"running\",\"pid\":-1,\"init_pid\":1,\"rank\":0}",
		"{\"version\":1,\"state\":\"running\",\"pid\":\"1\",\"init_pid\":1,\"rank\":0}",
		"{\"version\":1,\"state\":\"running\",\"pid\":1,\"pid\":2,\"rank\":0}",
		EXITED("null", "null"),
		EXITED("256", "null"),
		EXITED("0", "99"),
		EXITED("0", "true"),
		HELD("\"soon\""),
		HELD("1,\"exit_code\":null"),
		"{\"version\":1,\"state\":\"held\",\"pid\":1,\"init_pid\":1,\"rank\":0}",
	};
	struct status status = { .rank = 77 };
	struct err err;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		assert_int_equal(status_parse(span_of_str(wrong[i]), &status, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
		assert_int_equal(status.rank, 77);
	}
}

static void put(const char *name, const char *text)
{
	cleanup_free char *path = fs_join(dir, name);

	assert_int_equal(fs_write_file(path, span_of_str(text), 0600, NULL), 0);
}

static struct observation look(uint64_t tasks)
{
	struct observation seen = { .state = JOB_DEFINED, .exit_code = JOB_NO_EXIT_CODE };
	cleanup(job_finish) struct job job = { 0 };

	job_init(&job);
	job_set(&job, directory, dir);
	job.tasks = tasks;
	jobdir_observe(NULL, &job, &seen);
	return seen;
}

static void a_job_has_ended_when_all_its_ranks_have(void **state)
{
	(void)state;
	assert_int_equal(look(2).state, JOB_UNKNOWN);
	put("status.0.json", EXITED("0", "null"));
	assert_int_equal(look(1).state, JOB_SUCCEEDED);
	assert_int_equal(look(2).state, JOB_RUNNING);
	assert_int_equal(look(2).exit_code, JOB_NO_EXIT_CODE);
	put("status.1.json", EXITED("4", "null"));
	assert_int_equal(look(2).state, JOB_FAILED);
	assert_int_equal(look(2).exit_code, 4);
	put("status.0.json", EXITED("null", "15"));
	assert_int_equal(look(2).signal, 15);
}

static void a_task_of_an_array_has_ended_when_all_its_ranks_have(void **state)
{
	struct run run = { .task = 3, .reason = str_dup("") };
	cleanup(job_finish) struct job job = { 0 };

	(void)state;
	job_init(&job);
	job_set(&job, directory, dir);
	job_set(&job, array, "1-3");
	job.tasks = 2;
	put("status.3.json", EXITED("1", "null")); /* of another task */
	assert_false(jobdir_observe_run(NULL, &job, &run));
	put("status.6.json", USED("0", "null", "2048", "1.5"));
	put("status.7.json", RUNNING);
	assert_true(jobdir_observe_run(NULL, &job, &run));
	assert_int_equal(run.state, JOB_RUNNING);
	put("status.7.json", USED("null", "9", "1024", "2"));
	assert_true(jobdir_observe_run(NULL, &job, &run));
	assert_int_equal(run.state, JOB_FAILED);
	assert_int_equal(run.signal, 9);
	assert_int_equal(run.max_rss, 2048 * 1024);
	assert_int_equal(run.cpu_ns, 7 * NSEC_PER_SEC / 2);
	assert_string_equal(run.reason, "killed by the kernel: out of memory");
	run_finish(&run);
}

static void a_held_job_runs_and_says_why(void **state)
{
	char text[sizeof(HELD("")) + 32];

	(void)state;
	snprintf(text, sizeof(text), HELD("%llu.5"),
		 (unsigned long long)(jobdir_now_ns() / NSEC_PER_SEC + 29 * 60));
	put("status.0.json", text);
	assert_int_equal(look(1).state, JOB_RUNNING);
	assert_int_equal(look(1).exit_code, JOB_NO_EXIT_CODE);
	assert_true(strcmp(look(1).reason, "held after exit 3, 30 min left") == 0 ||
		    strcmp(look(1).reason, "held after exit 3, 29 min left") == 0);
	put("status.0.json", HELD("1.0"));
	assert_string_equal(look(1).reason, "held after exit 3, 0 min left");
}

static void a_failure_for_want_of_memory_is_named(void **state)
{
	(void)state;
	put("status.0.json", EXITED("0", "null,\"oom_killed\":true"));
	assert_int_equal(look(1).state, JOB_SUCCEEDED);
	assert_string_equal(look(1).reason, "");
	put("status.0.json", EXITED("null", "9,\"oom_killed\":true"));
	assert_int_equal(look(1).state, JOB_FAILED);
	assert_string_equal(look(1).reason, "killed by the kernel: out of memory");
}

static void a_status_that_is_broken_gives_a_reason_and_no_state(void **state)
{
	(void)state;
	put("status.0.json", "{\"version\":");
	assert_int_equal(look(1).state, JOB_UNKNOWN);
	assert_non_null(strstr(look(1).reason, "status.0.json: not JSON"));
}

static void the_first_line_of_a_file_explains_a_failed_start(void **state)
{
	char line[40];

	(void)state;
	put("stderr", "\n\nbwrap: \033[1mno\nmore");
	jobdir_first_line(dir, "stderr", line, sizeof(line));
	assert_string_equal(line, "bwrap: ?[1mno");
	jobdir_first_line(dir, "missing", line, sizeof(line));
	assert_string_equal(line, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_berth_init_writes_is_understood),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(a_job_has_ended_when_all_its_ranks_have),
		cmocka_unit_test(a_task_of_an_array_has_ended_when_all_its_ranks_have),
		cmocka_unit_test(a_held_job_runs_and_says_why),
		cmocka_unit_test(a_failure_for_want_of_memory_is_named),
		cmocka_unit_test(a_status_that_is_broken_gives_a_reason_and_no_state),
		cmocka_unit_test(the_first_line_of_a_file_explains_a_failed_start),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
