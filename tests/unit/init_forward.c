/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init/clock.h"
#include "init/forward.h"
#include "init/signals.h"

static siginfo_t info_of(int signo, int code, pid_t sender)
{
	siginfo_t info = { 0 };

	info.si_signo = signo;
	info.si_code = code;
	info.si_pid = sender;
	return info;
}

static bool due(int signo, int code, pid_t sender)
{
	siginfo_t info = info_of(signo, code, sender);

	return forward_is_due(&info);
}

static void whatever_somebody_sent_is_due(void **state)
{
	static const int codes[] = { SI_USER, SI_QUEUE, SI_TKILL, SI_MESGQ, -60 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		for (int signo = 1; signo <= SIGNALS_LAST; signo++)
			assert_true(due(signo, codes[i], 1));
		assert_false(due(SIGTERM, codes[i], getpid()));
	}
}

static void faults_and_children_of_ours_are_not(void **state)
{
	(void)state;
	assert_false(due(SIGCHLD, CLD_EXITED, 77));
	assert_false(due(SIGSEGV, SEGV_MAPERR, 0));
	assert_false(due(SIGILL, SI_KERNEL, 0));
	assert_false(due(SIGXCPU, SI_KERNEL, 0));
	assert_false(due(SIGPIPE, SI_KERNEL, 0));
	assert_true(due(SIGHUP, SI_KERNEL, 0));
	assert_true(due(SIGWINCH, SI_KERNEL, 0));
}

/* Forks two processes into one group; each exits with the value of the one signal it waits for. */
static pid_t fork_group(int signo, pid_t *ret_member)
{
	pid_t leader = 0;

	for (int i = 0; i < 2; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			siginfo_t info;

			if (signals_wait(&info, clock_now() + 20 * NSEC_PER_SEC) != signo)
				_exit(255);
			_exit(info.si_code == SI_QUEUE && info.si_pid == 4242
				      ? info.si_value.sival_int
				      : 254);
		}
		assert_true(pid > 0);
		setpgid(pid, leader);
		if (i == 0)
			leader = pid;
		*ret_member = pid;
	}
	return leader;
}

static void rules_are_names_or_numbers(void **state)
{
	static const char *const wrong[] = {
		"",	  "15",	    "15:",  ":15",   "15:65", "0:1",	      "KILL:1",
		"STOP:1", "TERM:x", "65:1", "1:2:3", "-1:2",  "SIGSIGTERM:1", "SIGVTALRMX:1"
	};
	struct forward_rules r;

	(void)state;
	forward_rules_init(&r);
	for (int signo = 1; signo <= SIGNO_LAST; signo++)
		assert_int_equal(r.becomes[signo], signo);
	assert_true(forward_parse_rewrite("15:2", &r));
	assert_true(forward_parse_rewrite("SIGHUP:usr1", &r));
	assert_true(forward_parse_rewrite("VTALRM:0", &r));
	assert_true(forward_parse_rewrite("64:KILL", &r));
	assert_int_equal(r.becomes[SIGTERM], SIGINT);
	assert_int_equal(r.becomes[SIGHUP], SIGUSR1);
	assert_int_equal(r.becomes[SIGVTALRM], 0);
	assert_int_equal(r.becomes[64], SIGKILL);
	forward_rules_init(&r);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_false(forward_parse_rewrite(wrong[i], &r));
	for (int signo = 1; signo <= SIGNO_LAST; signo++)
		assert_int_equal(r.becomes[signo], signo);
}

static int to_group(const siginfo_t *info, pid_t leader)
{
	return forward_signal(info, leader, false);
}

static void a_value_and_its_sender_reach_the_whole_group(void **state)
{
	int (*const ways[])(const siginfo_t *, pid_t) = { to_group, forward_queue_each };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		siginfo_t info = info_of(SIGRTMIN + 3, SI_QUEUE, 4242);
		pid_t member, leader = fork_group(SIGRTMIN + 3, &member);
		int status;

		info.si_value.sival_int = 17;
		assert_int_equal(ways[i](&info, leader), 0);
		assert_int_equal(waitpid(leader, &status, 0), leader);
		assert_int_equal(WEXITSTATUS(status), 17);
		assert_int_equal(waitpid(member, &status, 0), member);
		assert_int_equal(WEXITSTATUS(status), 17);
	}
}

static void a_single_child_gets_what_its_group_does_not(void **state)
{
	siginfo_t infos[] = { info_of(SIGRTMIN + 3, SI_QUEUE, 4242), info_of(SIGUSR1, SI_USER, 1) };

	(void)state;
	infos[0].si_value.sival_int = 9;
	for (size_t i = 0; i < ARRAY_LEN(infos); i++) {
		pid_t member, leader = fork_group(SIGRTMIN + 3, &member);
		int status;

		assert_int_equal(forward_signal(&infos[i], leader, true), 0);
		assert_int_equal(waitpid(leader, &status, 0), leader);
		assert_int_equal(WEXITSTATUS(status), i == 0 ? 9 : 255);
		/* What arrives first is what it ends by. */
		assert_int_equal(waitpid(member, &status, WNOHANG), 0);
		kill(member, SIGUSR2);
		assert_int_equal(waitpid(member, &status, 0), member);
		assert_int_equal(WEXITSTATUS(status), 255);
	}
}

static void nobody_left_is_an_error_and_no_more(void **state)
{
	siginfo_t queued = info_of(SIGTERM, SI_QUEUE, 1), sent = info_of(SIGTERM, SI_USER, 1);
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	setpgid(pid, pid);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(forward_signal(&queued, pid, false), -1);
	assert_int_equal(errno, ESRCH);
	assert_int_equal(forward_signal(&sent, pid, false), -1);
	assert_int_equal(errno, ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_somebody_sent_is_due),
		cmocka_unit_test(faults_and_children_of_ours_are_not),
		cmocka_unit_test(rules_are_names_or_numbers),
		cmocka_unit_test(a_single_child_gets_what_its_group_does_not),
		cmocka_unit_test(a_value_and_its_sender_reach_the_whole_group),
		cmocka_unit_test(nobody_left_is_an_error_and_no_more),
	};
	struct signals_inherited inherited;
	int failed;

	signals_take(&inherited);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	signals_restore(&inherited);
	return failed;
}
