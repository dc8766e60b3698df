/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "controller/backends/local/process.h"
#include "controller/backends/local/sandbox.h"
#include "init/base/cleanup.h"

static pid_t start_sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pause();
		_exit(0);
	}
	return pid;
}

static void a_process_is_known_again_until_it_ends(void **state)
{
	struct process process, again;
	pid_t pid = start_sleeper();
	char text[200];

	(void)state;
	assert_true(process_identify(pid, &process));
	process_format(&process, text, sizeof(text));
	assert_true(process_parse(text, &again));
	assert_int_equal(again.pid, pid);
	assert_int_equal(again.start, process.start);
	assert_true(process_is_here(&again));
	assert_true(process_is_alive(&again));
	assert_int_equal(process_signal(&again, SIGTERM, NULL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_false(process_is_alive(&again));
	assert_int_equal(process_signal(&again, SIGTERM, NULL), 0);
}

static void a_zombie_is_not_alive(void **state)
{
	struct process process;
	pid_t pid = start_sleeper();
	siginfo_t info;

	(void)state;
	assert_true(process_identify(pid, &process));
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_false(process_is_alive(&process));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void a_pid_that_was_used_again_is_another_process(void **state)
{
	struct process process;

	(void)state;
	assert_true(process_identify(getpid(), &process));
	process.start++;
	assert_false(process_is_alive(&process));
	/* Were it taken for the same, this would end the test. */
	assert_int_equal(process_signal(&process, SIGKILL, NULL), 0);
}

static void a_process_of_another_host_is_not_here(void **state)
{
	struct process process;

	(void)state;
	assert_true(process_parse("12.34@some-other-host", &process));
	assert_int_equal(process.pid, 12);
	assert_int_equal(process.start, 34);
	assert_false(process_is_here(&process));
}

static void other_texts_are_no_process(void **state)
{
	static const char *const wrong[] = { "",      "12",    "12.34", "0.1@h",	  "-1.2@h",
					     "x.1@h", "1.x@h", "12@h",	"99999999999.1@h" };
	struct process process;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_false(process_parse(wrong[i], &process));
}

static void the_parent_of_a_process_is_found(void **state)
{
	pid_t pid = start_sleeper(), parent;

	(void)state;
	assert_true(process_parent(pid, &parent));
	assert_int_equal(parent, getpid());
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_false(process_parent(pid, &parent));
}

static void the_pid_is_found_in_what_bwrap_tells(void **state)
{
	(void)state;
	assert_int_equal(sandbox_parse_info(span_of_str("{\n    \"child-pid\": 10071,\n"
							"    \"mnt-namespace\": 4026532177\n}\n")),
			 10071);
	assert_int_equal(sandbox_parse_info(span_of_str("")), 0);
	assert_int_equal(sandbox_parse_info(span_of_str("{\"child-pid\": -1}")), 0);
	assert_int_equal(sandbox_parse_info(span_of_str("{\"child-pid\": \"1\"}")), 0);
	assert_int_equal(sandbox_parse_info(span_of_str("{\"child-pid\": 99999999999}")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_is_known_again_until_it_ends),
		cmocka_unit_test(a_zombie_is_not_alive),
		cmocka_unit_test(a_pid_that_was_used_again_is_another_process),
		cmocka_unit_test(a_process_of_another_host_is_not_here),
		cmocka_unit_test(other_texts_are_no_process),
		cmocka_unit_test(the_parent_of_a_process_is_found),
		cmocka_unit_test(the_pid_is_found_in_what_bwrap_tells),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
