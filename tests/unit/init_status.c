/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init/base/fs.h"
#include "init/status.h"

static struct status running(void)
{
	return (struct status){
		.rank = 3,
		.pid = 42,
		.init_pid = 1,
		.started = { .tv_sec = 1790000000, .tv_nsec = 7999999 },
	};
}

static struct status ended(int code, int value)
{
	struct status s = running();

	s.has_ended = true;
	s.ended = (struct timespec){ .tv_sec = 1790000060, .tv_nsec = 999999999 };
	s.how.si_code = code;
	s.how.si_status = value;
	s.usage.ru_maxrss = 2048;
	s.usage.ru_utime = (struct timeval){ .tv_sec = 12, .tv_usec = 34 };
	s.usage.ru_stime = (struct timeval){ .tv_sec = 0, .tv_usec = 500000 };
	s.tunnel_restarts = 5;
	return s;
}

static void a_running_command_has_no_end(void **state)
{
	struct status s = running();
	char text[STATUS_TEXT_MAX];
	size_t len;

	(void)state;
	len = status_format(&s, text, sizeof(text));
	assert_int_equal(len, strlen(text));
	assert_string_equal(
		text,
		"{\"version\":1,\"rank\":3,\"state\":\"running\",\"pid\":42,\"init_pid\":1,"
		"\"started\":1790000000.007,\"ended\":null,\"hold_until\":null,"
		"\"exit_code\":null,"
		"\"signal\":null,\"core_dumped\":false,\"timed_out\":false,\"oom_killed\":false,\"peak_rss_kib\":0,"
		"\"user_s\":0.000000,\"system_s\":0.000000,\"tunnel_restarts\":0}\n");
}

static void an_exit_has_a_code_and_no_signal(void **state)
{
	struct status s = ended(CLD_EXITED, 0);
	char text[STATUS_TEXT_MAX];

	(void)state;
	status_format(&s, text, sizeof(text));
	assert_string_equal(
		text,
		"{\"version\":1,\"rank\":3,\"state\":\"exited\",\"pid\":42,\"init_pid\":1,"
		"\"started\":1790000000.007,\"ended\":1790000060.999,\"hold_until\":null,"
		"\"exit_code\":0,"
		"\"signal\":null,\"core_dumped\":false,\"timed_out\":false,\"oom_killed\":false,\"peak_rss_kib\":2048,"
		"\"user_s\":12.000034,\"system_s\":0.500000,\"tunnel_restarts\":5}\n");
}

static void a_signal_has_no_code_and_may_have_left_a_core(void **state)
{
	struct status killed = ended(CLD_KILLED, 9), dumped = ended(CLD_DUMPED, 11);
	char text[STATUS_TEXT_MAX];

	(void)state;
	status_format(&killed, text, sizeof(text));
	assert_non_null(strstr(text, "\"exit_code\":null,\"signal\":9,\"core_dumped\":false,"));
	status_format(&dumped, text, sizeof(text));
	assert_non_null(strstr(text, "\"exit_code\":null,\"signal\":11,\"core_dumped\":true,"));
}

static void a_kill_for_want_of_memory_is_told(void **state)
{
	struct status s = ended(CLD_KILLED, 9);
	char text[STATUS_TEXT_MAX];

	(void)state;
	s.oom_killed = true;
	s.timed_out = true;
	status_format(&s, text, sizeof(text));
	assert_non_null(strstr(
		text,
		"\"signal\":9,\"core_dumped\":false,\"timed_out\":true,\"oom_killed\":true,"));
}

static void a_held_job_tells_until_when(void **state)
{
	struct status s = ended(CLD_EXITED, 3);
	char text[STATUS_TEXT_MAX];

	(void)state;
	s.hold_until = (struct timespec){ .tv_sec = 1790001860, .tv_nsec = 1000000 };
	status_format(&s, text, sizeof(text));
	assert_non_null(strstr(text, "\"state\":\"held\""));
	assert_non_null(strstr(text, "\"hold_until\":1790001860.001,\"exit_code\":3,"));
	/* A command that runs is not held, whatever else is known. */
	s.has_ended = false;
	status_format(&s, text, sizeof(text));
	assert_non_null(strstr(text, "\"state\":\"running\""));
	assert_non_null(strstr(text, "\"hold_until\":null,"));
}

static void the_largest_values_fit(void **state)
{
	struct status s = ended(CLD_EXITED, INT_MIN);
	char text[STATUS_TEXT_MAX];

	(void)state;
	s.oom_killed = true;
	s.rank = s.tunnel_restarts = UINT_MAX;
	s.pid = s.init_pid = INT_MIN;
	s.started.tv_sec = s.ended.tv_sec = s.hold_until.tv_sec = LONG_MIN;
	s.usage.ru_maxrss = LONG_MIN;
	s.usage.ru_utime.tv_sec = s.usage.ru_stime.tv_sec = LONG_MIN;
	assert_true(status_format(&s, text, sizeof(text)) < sizeof(text));
}

/* Waits for the writer that status_write() started. */
static void finish(struct status *s)
{
	siginfo_t info = { 0 };

	assert_true(s->writer > 0);
	assert_int_equal(waitid(P_PID, (id_t)s->writer, &info, WEXITED), 0);
	assert_true(status_on_exit(s, &info));
}

static void what_changes_while_it_is_written_is_written_afterwards(void **state)
{
	char dir[] = "/tmp/berth-status-XXXXXX";
	cleanup(buf_finish) struct buf content = BUF_INIT(STATUS_TEXT_MAX);
	cleanup_free char *path = NULL;
	struct status s = running();
	siginfo_t other = { 0 };
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(dir));
	path = fs_join(dir, "status.3.json");
	s.path = path;
	status_write(&s);
	s.has_ended = true;
	s.how.si_code = CLD_EXITED;
	status_write(&s);
	assert_true(s.is_stale);
	other.si_pid = s.writer + 1;
	assert_false(status_on_exit(&s, &other));
	finish(&s);
	finish(&s);
	assert_int_equal(s.writer, 0);
	assert_int_equal(fs_read_file(path, STATUS_TEXT_MAX, &content, NULL), 0);
	assert_non_null(strstr(buf_str(&content), "\"exited\""));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(fs_remove_tree(dir, NULL), 0);
}

static void a_directory_that_is_gone_is_only_a_failed_child(void **state)
{
	struct status s = running();

	(void)state;
	s.path = "/nonexistent/status.0.json";
	status_write(&s);
	finish(&s);
	assert_int_equal(s.writer, 0);
	s.path = NULL;
	status_write(&s);
	assert_int_equal(s.writer, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_running_command_has_no_end),
		cmocka_unit_test(an_exit_has_a_code_and_no_signal),
		cmocka_unit_test(a_signal_has_no_code_and_may_have_left_a_core),
		cmocka_unit_test(a_kill_for_want_of_memory_is_told),
		cmocka_unit_test(a_held_job_tells_until_when),
		cmocka_unit_test(the_largest_values_fit),
		cmocka_unit_test(what_changes_while_it_is_written_is_written_afterwards),
		cmocka_unit_test(a_directory_that_is_gone_is_only_a_failed_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
