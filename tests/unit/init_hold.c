/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "init/hold.h"

static struct hold parse(const char *text)
{
	struct hold h = { 0 };

	assert_true(hold_parse(text, &h));
	return h;
}

static void a_duration_may_be_for_failures_only(void **state)
{
	static const char *const wrong[] = {
		"", "soon", "30m,", "30m,on-success", ",on-failure", "30m,on-failure,", "-1"
	};
	struct hold h = { .ns = 77 };

	(void)state;
	assert_int_equal(parse("90").ns, 90 * NSEC_PER_SEC);
	assert_false(parse("90").only_on_failure);
	assert_int_equal(parse("1h30m,on-failure").ns, 5400 * NSEC_PER_SEC);
	assert_true(parse("1h30m,on-failure").only_on_failure);
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_false(hold_parse(wrong[i], &h));
	assert_int_equal(h.ns, 77);
}

static void it_is_held_after_every_end_or_every_failure(void **state)
{
	struct hold always = parse("1m"), failures = parse("1m,on-failure"), never = { 0 };

	(void)state;
	assert_true(hold_is_due(&always, 0) && hold_is_due(&always, 3));
	assert_false(hold_is_due(&failures, 0));
	assert_true(hold_is_due(&failures, 1) && hold_is_due(&failures, 128 + SIGSEGV));
	assert_true(hold_is_due(&failures, 128 + SIGTERM));
	assert_false(hold_is_due(&never, 1));
}

static void a_command_that_was_told_to_end_is_not_held(void **state)
{
	struct hold h = parse("1m");

	(void)state;
	hold_note(&h, SIGTERM);
	assert_false(hold_is_due(&h, 0) || hold_is_due(&h, 1) || hold_is_due(&h, 143));
	h = parse("1m");
	hold_note(&h, SIGINT);
	hold_note(&h, SIGUSR1);
	hold_note(&h, 64);
	/* An interrupt that it lived through is no reason. */
	assert_true(hold_is_due(&h, 0) && hold_is_due(&h, 1) && hold_is_due(&h, 128 + SIGHUP));
	assert_true(hold_is_due(&h, 128 + SIGUSR1));
	assert_false(hold_is_due(&h, 128 + SIGINT));
}

static void signals_end_it_or_start_it_anew(void **state)
{
	(void)state;
	for (int signo = 1; signo <= 64; signo++) {
		bool ends = signo == SIGHUP || signo == SIGINT || signo == SIGQUIT ||
			    signo == SIGTERM || signo == SIGURG;

		assert_int_equal(hold_order_of(signo), ends		  ? HOLD_END
						       : signo == SIGUSR1 ? HOLD_ANEW
									  : HOLD_GO_ON);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_duration_may_be_for_failures_only),
		cmocka_unit_test(it_is_held_after_every_end_or_every_failure),
		cmocka_unit_test(a_command_that_was_told_to_end_is_not_held),
		cmocka_unit_test(signals_end_it_or_start_it_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
