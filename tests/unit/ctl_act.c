/* SPDX-License-Identifier: MIT */
/* Acting on jobs: what is let through, the words that Slurm gets, and the operation. */
#include "tests/unit/unit.h"

#include <signal.h>
#include <string.h>

#include "controller/backends/slurm/act.h"
#include "controller/backends/slurm/command.h"
#include "controller/ops/act.h"
#include "controller/ops/jobs.h"
#include "init/base/signo.h"
#include "tests/unit/ctl_user.h"

static void only_words_that_can_be_nothing_else_are_let_through(void **state)
{
	static const struct change good[] = {
		{ .time_ns = NSEC_PER_SEC },
		{ .begin = "now" },
		{ .begin = "1h30m" },
		{ .begin = "2026-11-21T08:00" },
		{ .partition = "debug,long" },
		{ .account = "a_b-c.d" },
		{ .qos = "high" },
		{ .priority = "4294967294" },
		{ .nice = "-100" },
		{ .nice = "0" },
	};
	static const struct change bad[] = {
		{ 0 },
		{ .begin = "tomorrow" },
		{ .begin = "" },
		{ .partition = "a b" },
		{ .partition = "debug\nPriority=9" },
		{ .partition = "-x" },
		{ .account = "a=b" },
		{ .qos = "" },
		{ .priority = "0" },
		{ .priority = "4294967295" },
		{ .priority = "TOP" },
		{ .nice = "x" },
		{ .nice = "-" },
		{ .nice = "--5" },
		{ .time_ns = NSEC_PER_SEC, .nice = "x" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(act_check(&(struct act){ ACT_UPDATE, 0, good[i] }, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err err;

		assert_int_equal(act_check(&(struct act){ ACT_UPDATE, 0, bad[i] }, &err), -1);
		assert_int_equal(err.kind, ERR_INVALID);
	}
}

static void a_signal_that_would_not_reach_the_command_is_refused(void **state)
{
	struct act act = { .kind = ACT_SIGNAL, .signal = SIGSTOP };
	struct err err;

	(void)state;
	assert_int_equal(act_check(&act, &err), -1);
	assert_non_null(strstr(err.text, "send TSTP"));
	act.signal = SIGTSTP;
	assert_int_equal(act_check(&act, NULL), 0);
}

static void signals_have_names_both_ways(void **state)
{
	int signo = 0;

	(void)state;
	assert_true(signo_parse("sigusr1", &signo));
	assert_int_equal(signo, SIGUSR1);
	assert_string_equal(signo_word(SIGUSR1), "USR1");
	assert_null(signo_word(0));
	assert_null(signo_word(34));
	assert_null(signo_word(SIGNO_LAST + 1));
}

static struct job *const *two_jobs(uint64_t tasks)
{
	static char first[] = "42", second[] = "43_7";
	static struct job items[2];
	static struct job *const jobs[] = { &items[0], &items[1] };

	items[0] = (struct job){ .id = 7, .native_id = first, .tasks = tasks };
	items[1] = (struct job){ .id = 8, .native_id = second, .tasks = tasks };
	return jobs;
}

static void assert_command(const struct act *act, uint64_t tasks, const char *expected)
{
	cleanup(argv_finish) struct argv argv = { 0 };
	cleanup(buf_finish) struct buf line = BUF_INIT(1000);

	slurm_add_act(&argv, act, (const struct job *const *)two_jobs(tasks), 2);
	for (size_t i = 0; i < argv.len; i++)
		assert_true(buf_printf(&line, "%s%s", i ? " " : "", argv.items[i]));
	assert_string_equal(buf_str(&line), expected);
}

static void many_jobs_are_one_command_of_slurm(void **state)
{
	(void)state;
	assert_command(&(struct act){ .kind = ACT_SIGNAL, .signal = SIGUSR1 }, 1,
		       "scancel --signal=USR1 --batch -- 42 43_7");
	assert_command(&(struct act){ .kind = ACT_SIGNAL, .signal = SIGWINCH }, 4,
		       "scancel --signal=28 -- 42 43_7");
	assert_command(&(struct act){ .kind = ACT_HOLD }, 1, "scontrol hold 42,43_7");
	assert_command(&(struct act){ .kind = ACT_RELEASE }, 1, "scontrol release 42,43_7");
	assert_command(&(struct act){ .kind = ACT_REQUEUE }, 1, "scontrol requeue 42,43_7");
}

static void tasks_of_an_array_are_sent_a_signal_one_by_one(void **state)
{
	static char id[] = "42", indices[] = "0-9", some[] = "3,5-6";
	struct job array = { .id = 7, .native_id = id, .array = indices, .only = some };
	const struct job *const jobs[] = { &array };
	const struct act act = { .kind = ACT_SIGNAL, .signal = SIGUSR1 };

	(void)state;
	for (array.tasks = 1; array.tasks <= 2; array.tasks++) {
		cleanup(argv_finish) struct argv argv = { 0 };
		cleanup(buf_finish) struct buf line = BUF_INIT(1000), expected = BUF_INIT(1000);

		slurm_add_act(&argv, &act, jobs, 1);
		for (size_t i = 0; i < argv.len; i++)
			assert_true(buf_printf(&line, "%s%s", i ? " " : "", argv.items[i]));
		assert_true(buf_printf(&expected,
				       "timeout 4 scancel --verbose --signal=USR1%s -- "
				       "42_3 42_5 42_6",
				       array.tasks > 1 ? "" : " --batch"));
		assert_string_equal(buf_str(&line), buf_str(&expected));
	}
}

static void a_change_is_said_in_the_words_of_scontrol(void **state)
{
	const struct change all = { .time_ns = 61 * NSEC_PER_SEC,
				    .begin = "2h",
				    .partition = "long",
				    .account = "phys",
				    .qos = "high",
				    .priority = "9",
				    .nice = "-5" };

	(void)state;
	assert_command(&(struct act){ .kind = ACT_UPDATE, .change = all }, 1,
		       "scontrol update JobId=42,43_7 TimeLimit=2 StartTime=now+7200 "
		       "Partition=long Account=phys QOS=high Priority=9 Nice=-5");
	assert_command(&(struct act){ .kind = ACT_UPDATE, .change = { .begin = "now" } }, 1,
		       "scontrol update JobId=42,43_7 StartTime=now");
}

static void a_complaint_of_slurm_gets_a_kind_and_advice(void **state)
{
	static const struct {
		const char *why;
		enum err_kind kind;
		const char *advice;
	} cases[] = {
		{ "Unable to contact slurm controller", ERR_UNAVAILABLE, "try again later" },
		{ "Access/permission denied for job 4", ERR_DENIED, "for job 4" },
		{ "Invalid job id specified for job 4", ERR_NOT_FOUND, "forgotten" },
		{ "Job is in held state, pending scheduler release for job 2", ERR_UNAVAILABLE,
		  "'berth release' it first" },
		{ "Invalid partition name specified for job 2", ERR_INVALID, "sinfo" },
		{ "Something nobody has seen", ERR_INVALID, "seen" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err err;

		assert_int_equal(slurm_explain(cases[i].why, &err), -1);
		assert_int_equal(err.kind, cases[i].kind);
		assert_non_null(strstr(err.text, cases[i].advice));
	}
}

static void take_submitted(struct job_list *jobs, size_t len, enum job_state now)
{
	for (size_t i = 0; i < len; i++) {
		struct job job = user_submitted(NULL);

		fake_set(user.fake, i, now, JOB_NO_EXIT_CODE);
		job_list_take(jobs, &job);
	}
}

static int look_and_act(const struct act *act, struct job_list *jobs, struct err *err)
{
	if (ops_refresh(user.c, jobs, err) < 0)
		return -1;
	return ops_act(user.c, act, jobs, err);
}

static void many_jobs_are_one_request_to_a_backend(void **state)
{
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	const struct act hold = { .kind = ACT_HOLD };

	(void)state;
	take_submitted(&jobs, 5, JOB_QUEUED);
	assert_int_equal(look_and_act(&hold, &jobs, NULL), 0);
	assert_int_equal(fake_counts(user.fake).acts, 1);
	assert_int_equal(ops_refresh(user.c, &jobs, NULL), 0);
	for (size_t i = 0; i < jobs.len; i++)
		assert_string_equal(jobs.items[i].reason, "hold");
	assert_int_equal(ops_cancel(user.c, &jobs, 1000, NULL), 0);
	assert_int_equal(fake_counts(user.fake).cancels, 1);
}

static void one_job_in_the_wrong_state_leaves_all_untouched(void **state)
{
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	struct err err;

	(void)state;
	take_submitted(&jobs, 3, JOB_QUEUED);
	fake_set(user.fake, 2, JOB_RUNNING, JOB_NO_EXIT_CODE);
	assert_int_equal(look_and_act(&(struct act){ .kind = ACT_HOLD }, &jobs, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
	assert_string_equal(err.text, "job-3 is RUNNING: only a job that waits can be held");
	fake_set(user.fake, 2, JOB_FAILED, 4);
	assert_int_equal(look_and_act(&(struct act){ .kind = ACT_HOLD }, &jobs, &err), -1);
	assert_string_equal(err.text, "job-3 ended: FAILED, exit status 4");
	assert_int_equal(fake_counts(user.fake).acts, 0);
}

static void what_a_backend_cannot_do_is_refused_with_the_alternative(void **state)
{
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	const struct act update = { .kind = ACT_UPDATE, .change = { .nice = "1" } };
	struct err err;

	(void)state;
	take_submitted(&jobs, 1, JOB_QUEUED);
	assert_int_equal(look_and_act(&update, &jobs, &err), -1);
	assert_int_equal(err.kind, ERR_UNSUPPORTED);
	assert_string_equal(err.text,
			    "cannot update job-1: fake: cannot change a job: submit another");
}

static void a_requeued_job_waits_and_has_not_started(void **state)
{
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	cleanup(job_finish) struct job found = { 0 };

	(void)state;
	take_submitted(&jobs, 1, JOB_RUNNING);
	jobs.items[0].started_ns = 5;
	assert_int_equal(look_and_act(&(struct act){ .kind = ACT_REQUEUE }, &jobs, NULL), 0);
	assert_int_equal(ops_refresh(user.c, &jobs, NULL), 0);
	assert_int_equal(ops_find_text(user.c, "job-1", &found, NULL), 0);
	assert_int_equal(found.state, JOB_QUEUED);
	assert_int_equal(found.started_ns, 0);
}

static void a_failed_request_names_the_job(void **state)
{
	cleanup(job_list_finish) struct job_list jobs = { 0 };
	const struct act release = { .kind = ACT_RELEASE };
	struct err err;

	(void)state;
	take_submitted(&jobs, 1, JOB_RUNNING);
	assert_int_equal(look_and_act(&release, &jobs, &err), -1);
	assert_string_equal(err.text, "job-1 is not held: its command has not ended");
	fake_fail(user.fake, ERR_UNAVAILABLE);
	assert_int_equal(look_and_act(&release, &jobs, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, user_set_up, user_tear_down)
		cmocka_unit_test(only_words_that_can_be_nothing_else_are_let_through),
		cmocka_unit_test(a_signal_that_would_not_reach_the_command_is_refused),
		cmocka_unit_test(signals_have_names_both_ways),
		cmocka_unit_test(many_jobs_are_one_command_of_slurm),
		cmocka_unit_test(tasks_of_an_array_are_sent_a_signal_one_by_one),
		cmocka_unit_test(a_change_is_said_in_the_words_of_scontrol),
		cmocka_unit_test(a_complaint_of_slurm_gets_a_kind_and_advice),
		TEST(many_jobs_are_one_request_to_a_backend),
		TEST(one_job_in_the_wrong_state_leaves_all_untouched),
		TEST(what_a_backend_cannot_do_is_refused_with_the_alternative),
		TEST(a_requeued_job_waits_and_has_not_started),
		TEST(a_failed_request_names_the_job),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
