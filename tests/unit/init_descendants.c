/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init/descendants.h"

/*
 * A process that says that it runs, by closing the pipe it was given, and then waits for its end.
 */
static void linger(int ready)
{
	close(ready);
	for (;;)
		pause();
}

static void wait_until_closed(int fds[2])
{
	char c;

	close(fds[1]);
	assert_int_equal(read(fds[0], &c, 1), 0);
	close(fds[0]);
}

static pid_t fork_lingering(int ready, bool ignore_term)
{
	pid_t pid = fork();

	if (pid == 0) {
		if (ignore_term)
			signal(SIGTERM, SIG_IGN);
		linger(ready);
	}
	assert_true(pid > 0);
	return pid;
}

/* Forks a process in a session of its own with a grandchild in another, and loses its parent. */
static void fork_scattered(int ready)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0) {
		waitpid(pid, NULL, 0);
		return;
	}
	setsid();
	if (fork() == 0) {
		setsid();
		if (fork() == 0)
			linger(ready);
		linger(ready);
	}
	_exit(0);
}

/* Reaps until there is nobody left; how many were ended by the signal. */
static int reap_all(int signo)
{
	int count = 0, status;

	for (;;) {
		pid_t pid = wait(&status);

		if (pid < 0 && errno == ECHILD)
			return count;
		count += pid > 0 && WIFSIGNALED(status) && WTERMSIG(status) == signo;
	}
}

static void every_descendant_is_reached_in_whatever_session(void **state)
{
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	fork_lingering(fds[1], false);
	fork_scattered(fds[1]);
	wait_until_closed(fds);
	descendants_signal(SIGTERM, NULL, 0);
	assert_int_equal(reap_all(SIGTERM), 3);
}

static void what_ignores_sigterm_is_killed(void **state)
{
	pid_t stubborn;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	fork_lingering(fds[1], false);
	stubborn = fork_lingering(fds[1], true);
	wait_until_closed(fds);
	descendants_signal(SIGTERM, NULL, 0);
	assert_true(wait(NULL) != stubborn);
	assert_int_equal(kill(stubborn, 0), 0);
	descendants_signal(SIGKILL, NULL, 0);
	assert_int_equal(reap_all(SIGKILL), 1);
}

static void a_stopped_process_sees_sigterm(void **state)
{
	siginfo_t info;
	pid_t pid;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	pid = fork_lingering(fds[1], false);
	wait_until_closed(fds);
	kill(pid, SIGSTOP);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED), 0);
	descendants_signal(SIGTERM, NULL, 0);
	assert_int_equal(reap_all(SIGTERM), 1);
}

static void neighbours_are_left_alone(void **state)
{
	pid_t inner, outer;
	int fds[2], status;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	outer = fork_lingering(fds[1], false);
	/* The subreaper under test is a child here, and its brother none of its business. */
	inner = fork();
	if (inner == 0) {
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		descendants_signal(SIGKILL, NULL, 0);
		_exit(0);
	}
	wait_until_closed(fds);
	assert_int_equal(waitpid(inner, &status, 0), inner);
	assert_true(WIFEXITED(status));
	assert_int_equal(waitpid(outer, &status, WNOHANG), 0);
	descendants_signal(SIGKILL, NULL, 0);
	assert_int_equal(reap_all(SIGKILL), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_descendant_is_reached_in_whatever_session),
		cmocka_unit_test(what_ignores_sigterm_is_killed),
		cmocka_unit_test(a_stopped_process_sees_sigterm),
		cmocka_unit_test(neighbours_are_left_alone),
	};

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
