/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <sys/wait.h>
#include <unistd.h>

#include "init/signals.h"
#include "init/witness.h"

static int start(void **state)
{
	static struct witness witness;
	struct signals_inherited inherited;

	signals_take(&inherited);
	witness = (struct witness){ 0 };
	witness_start(&witness);
	*state = &witness;
	return witness.pid > 0 ? 0 : -1;
}

static int stop(void **state)
{
	witness_stop(*state);
	return 0;
}

static void what_it_is_sent_is_told_once(void **state)
{
	struct witness *w = *state;

	for (int i = 0; i < 2; i++) {
		kill(w->pid, SIGTERM);
		assert_true(witness_was_told(w, SIGTERM));
		assert_false(witness_was_told(w, SIGTERM));
	}
}

static void signals_are_told_apart(void **state)
{
	struct witness *w = *state;
	static const int sent[] = { SIGCONT, SIGTERM, SIGUSR1, 64 };

	for (size_t i = 0; i < ARRAY_LEN(sent); i++)
		kill(w->pid, sent[i]);
	for (size_t i = 0; i < ARRAY_LEN(sent); i++)
		assert_true(witness_was_told(w, sent[i]));
	assert_false(witness_was_told(w, SIGUSR2));
}

static void what_its_group_is_sent_is_not_for_it(void **state)
{
	struct witness *w = *state;

	kill(0, SIGUSR1);
	assert_false(witness_was_told(w, SIGUSR1));
}

static void one_that_was_killed_is_none(void **state)
{
	struct witness *w = *state;
	siginfo_t ended = { 0 };

	kill(w->pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)w->pid, &ended, WEXITED), 0);
	assert_true(witness_on_exit(w, &ended));
	assert_false(witness_on_exit(w, &ended));
	assert_false(witness_was_told(w, SIGTERM));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_it_is_sent_is_told_once, start, stop),
		cmocka_unit_test_setup_teardown(signals_are_told_apart, start, stop),
		cmocka_unit_test_setup_teardown(what_its_group_is_sent_is_not_for_it, start, stop),
		cmocka_unit_test_setup_teardown(one_that_was_killed_is_none, start, stop),
	};

	/* So that what is sent to our group is sent to nobody else. */
	setpgid(0, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
