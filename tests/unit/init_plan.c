/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/cleanup.h"
#include "init/base/fs.h"
#include "init/plan.h"

static struct plan plan;
static struct err err;

/* argv is NULL-terminated; the parser moves its members. */
static int make(char **argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	plan_finish(&plan);
	return plan_make(argc, argv, &plan, &err);
}

#define MAKE_AS(name, ...) make((char *[]){ name, __VA_ARGS__, NULL })
#define MAKE(...) MAKE_AS("berth-init", __VA_ARGS__)

static int set_up(void **state)
{
	(void)state;
	unsetenv("SLURM_PROCID");
	unsetenv("BERTH_RANK");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	plan_finish(&plan);
	return 0;
}

static void marks_are_taken_off_the_command(void **state)
{
	char *argv[] = { "berth-init", "--marked", "--", "+sh", "+:", "+", "++x", NULL };

	(void)state;
	assert_int_equal(make(argv), PLAN_RUN);
	assert_string_equal(plan.command[0], "sh");
	assert_string_equal(plan.command[1], ":");
	assert_string_equal(plan.command[2], "");
	assert_string_equal(plan.command[3], "+x");
	assert_null(plan.command[4]);
	assert_int_equal(MAKE("--marked", "+sh", ""), -1);
	assert_non_null(strstr(err.text, "'' begins with no +"));
}

static void options_end_at_the_command(void **state)
{
	char *argv[] = { "berth-init", "--grace", "1m", "sh", "-v", "--dir", NULL };

	(void)state;
	assert_int_equal(make(argv), PLAN_RUN);
	assert_string_equal(plan.command[0], "sh");
	assert_string_equal(plan.command[1], "-v");
	assert_string_equal(plan.command[2], "--dir");
	assert_null(plan.command[3]);
	assert_int_equal(plan.talk, TALK_NONE);
	assert_int_equal(plan.grace_ns, 60 * NSEC_PER_SEC);
	assert_null(plan.status_path);
	assert_null(plan.tunnel_path);
}

static void a_directory_brings_a_status_and_a_tunnel(void **state)
{
	(void)state;
	assert_int_equal(MAKE("--dir", "/job", "--rank", "3", "--tunnel", "/x/t", "--", "true"),
			 PLAN_RUN);
	assert_string_equal(plan.status_path, "/job/status.3.json");
	assert_string_equal(plan.tunnel_log, "/job/tunnel.3.log");
	snprintf(plan.pid_arg, sizeof(plan.pid_arg), "%d", 42);
	assert_string_equal(plan.tunnel_argv[0], "/x/t");
	assert_string_equal(plan.tunnel_argv[1], "serve");
	assert_string_equal(plan.tunnel_argv[2], "--dir");
	assert_string_equal(plan.tunnel_argv[3], "/job");
	assert_string_equal(plan.tunnel_argv[4], "--rank");
	assert_string_equal(plan.tunnel_argv[5], "3");
	assert_string_equal(plan.tunnel_argv[6], "--pid");
	assert_string_equal(plan.tunnel_argv[7], "42");
	assert_null(plan.tunnel_argv[8]);
	assert_int_equal(MAKE("--dir", "/job", "--rank", "3", "--ranks", "4", "true"), PLAN_RUN);
	assert_string_equal(plan.tunnel_argv[5], "12");
	assert_string_equal(plan.tunnel_argv[8], "--ranks");
	assert_string_equal(plan.tunnel_argv[9], "4");
	assert_null(plan.tunnel_argv[10]);
	assert_int_equal(MAKE("--dir", "/job", "--no-tunnel", "true"), PLAN_RUN);
	assert_non_null(plan.status_path);
	assert_null(plan.tunnel_path);
}

static void relative_paths_are_from_where_it_was_started(void **state)
{
	cleanup_free char *here = getcwd(NULL, 0);
	cleanup_free char *status = fs_join(here, "a/b/status.0.json");
	cleanup_free char *tunnel = fs_join(here, "t");

	(void)state;
	assert_int_equal(MAKE("--dir", "a/b", "--tunnel", "t", "true"), PLAN_RUN);
	assert_string_equal(plan.status_path, status);
	assert_string_equal(plan.tunnel_argv[0], tunnel);
}

static void the_tunnel_is_found_beside_the_program(void **state)
{
	cleanup_free char *self = realpath("/proc/self/exe", NULL);
	cleanup_free char *dir = str_dup_len(self, (size_t)(strrchr(self, '/') - self));
	cleanup_free char *tunnel = fs_join(dir, "berth-tunnel");

	(void)state;
	assert_int_equal(MAKE("--dir", "/job", "true"), PLAN_RUN);
	assert_string_equal(plan.tunnel_argv[0], tunnel);
}

static void the_rank_is_slurms_unless_given(void **state)
{
	(void)state;
	setenv("SLURM_PROCID", "17", 1);
	assert_int_equal(MAKE("true"), PLAN_RUN);
	assert_int_equal(plan.rank, 17);
	assert_int_equal(MAKE("--rank", "0", "true"), PLAN_RUN);
	assert_int_equal(plan.rank, 0);
	setenv("SLURM_PROCID", "-1", 1);
	assert_int_equal(MAKE("true"), PLAN_RUN);
	assert_int_equal(plan.rank, 0);
	setenv("BERTH_RANK", "5", 1);
	assert_int_equal(MAKE("true"), PLAN_RUN);
	assert_int_equal(plan.rank, 0);
	unsetenv("SLURM_PROCID");
	assert_int_equal(MAKE("true"), PLAN_RUN);
	assert_int_equal(plan.rank, 5);
	unsetenv("BERTH_RANK");
}

static void the_rank_of_a_task_of_an_array_counts_those_before_it(void **state)
{
	(void)state;
	setenv("SLURM_PROCID", "2", 1);
	assert_int_equal(MAKE("--rank", "7", "--ranks", "4", "true"), PLAN_RUN);
	assert_int_equal(plan.rank, 30);
	assert_int_equal(MAKE("--rank", "7", "--ranks", "1", "true"), PLAN_RUN);
	assert_int_equal(plan.rank, 7);
	setenv("SLURM_PROCID", "4", 1); /* it would be one of the next task */
	assert_int_equal(MAKE("--rank", "7", "--ranks", "4", "true"), PLAN_RUN);
	assert_int_equal(plan.rank, 28);
	unsetenv("SLURM_PROCID");
	assert_int_equal(MAKE("--rank", "1000000", "--ranks", "4000", "true"), -1);
	assert_int_equal(MAKE("--rank", "1", "--ranks", "4294967296", "true"), -1);
}

static void a_number_stands_for_a_rank_of_a_task(void **state)
{
	(void)state;
	assert_int_equal(MAKE("--rank", "5", "--indices", "9,1-5:2", "--ranks", "2", "--hosts",
			      "job-#.job", "true"),
			 PLAN_RUN);
	assert_int_equal(plan.rank, 11);
	assert_string_equal(getenv("SLURM_ARRAY_TASK_ID"), "5");
	assert_string_equal(getenv("SLURM_PROCID"), "1");
	assert_string_equal(getenv("BERTH_RANK"), "11");
	assert_string_equal(getenv("BERTH_FIRST_HOST"), "job-4.job");
	unsetenv("SLURM_PROCID");
	assert_int_equal(MAKE("--rank", "8", "--indices", "9,1-5:2", "--ranks", "2", "true"), -1);
	assert_int_equal(MAKE("--rank", "1", "--indices", "1", "--ranks", "4294967296", "true"),
			 -1);
	assert_int_equal(MAKE("--rank", "1", "--indices", "1000000", "--ranks", "4000", "true"),
			 -1);
	assert_int_equal(MAKE("--rank", "0", "--indices", "1", "--hosts", "job", "true"), -1);
	unsetenv("BERTH_RANK");
	unsetenv("SLURM_ARRAY_TASK_ID");
}

static void wrong_command_lines_are_refused(void **state)
{
	(void)state;
	assert_int_equal(MAKE("--"), -1);
	assert_int_equal(err.kind, ERR_INVALID);
	assert_int_equal(MAKE("--nonsense", "true"), -1);
	assert_int_equal(MAKE("--grace", "soon", "true"), -1);
	assert_int_equal(MAKE("--rank", "-1", "true"), -1);
	assert_int_equal(MAKE("--rank", "4294967296", "true"), -1);
	assert_int_equal(MAKE("--hold", "30m,on-success", "true"), -1);
	assert_int_equal(MAKE("--rewrite", "9:1", "true"), -1);
	assert_int_equal(MAKE("--remap-exit", "256", "true"), -1);
	assert_int_equal(MAKE("--remap-exit", "1:", "true"), -1);
	assert_int_equal(MAKE("--parent-death", "NONE", "true"), -1);
}

static void signals_and_exits_can_be_rewritten(void **state)
{
	(void)state;
	assert_int_equal(MAKE("--rewrite", "TERM:INT", "--rewrite=1:0", "--single-child",
			      "--remap-exit", "143", "--remap-exit", "3:1", "--parent-death",
			      "SIGTERM", "--hold", "30m,on-failure", "true"),
			 PLAN_RUN);
	assert_int_equal(plan.rules.becomes[SIGTERM], SIGINT);
	assert_int_equal(plan.rules.becomes[SIGHUP], 0);
	assert_int_equal(plan.rules.becomes[SIGUSR1], SIGUSR1);
	assert_true(plan.rules.single_child);
	assert_int_equal(plan.exits[143], 0);
	assert_int_equal(plan.exits[3], 1);
	assert_int_equal(plan.exits[4], 4);
	assert_int_equal(plan.parent_death, SIGTERM);
	assert_int_equal(plan.hold.ns, 1800 * NSEC_PER_SEC);
	assert_true(plan.hold.only_on_failure);
	assert_true(plan.subreaper);
	assert_int_equal(MAKE("--no-subreaper", "true"), PLAN_RUN);
	assert_false(plan.subreaper);
}

static void each_v_says_more(void **state)
{
	(void)state;
	assert_int_equal(MAKE("-v", "true"), PLAN_RUN);
	assert_int_equal(plan.talk, TALK_EVENTS);
	assert_int_equal(MAKE("-vv", "true"), PLAN_RUN);
	assert_int_equal(plan.talk, TALK_SIGNALS);
	assert_int_equal(MAKE("-vvvvvv", "true"), PLAN_RUN);
	assert_int_equal(plan.talk, TALK_ALL);
	assert_int_equal(MAKE("--warn-on-reap", "true"), PLAN_RUN);
	assert_int_equal(plan.talk, TALK_WARNINGS);
}

static void under_the_name_of_tini_its_options_are_understood(void **state)
{
	static char *const names[] = { "tini", "/usr/bin/tini-static", "/sbin/docker-init" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char *argv[] = { names[i], "--", "sh", "-g", NULL };

		assert_int_equal(make(argv), PLAN_RUN);
		assert_ptr_equal(plan.personality, &personality_tini);
		assert_string_equal(plan.command[0], "sh");
		assert_string_equal(plan.command[1], "-g");
		assert_true(plan.rules.single_child);
		assert_false(plan.subreaper);
		assert_false(plan.own_session);
	}
	assert_int_equal(MAKE_AS("tini", "-gsvvw", "-e", "143", "-e3", "-p", "SIGKILL", "true"),
			 PLAN_RUN);
	assert_false(plan.rules.single_child);
	assert_true(plan.subreaper && plan.warn_on_reap);
	assert_int_equal(plan.talk, TALK_SIGNALS);
	assert_int_equal(plan.exits[143] + plan.exits[3], 0);
	assert_int_equal(plan.parent_death, SIGKILL);
	setenv("TINI_SUBREAPER", "", 1);
	setenv("TINI_KILL_PROCESS_GROUP", "1", 1);
	setenv("TINI_VERBOSITY", "3", 1);
	assert_int_equal(MAKE_AS("tini", "true"), PLAN_RUN);
	assert_true(plan.subreaper);
	assert_false(plan.rules.single_child);
	assert_int_equal(plan.talk, TALK_SIGNALS);
	unsetenv("TINI_SUBREAPER");
	unsetenv("TINI_KILL_PROCESS_GROUP");
	unsetenv("TINI_VERBOSITY");
}

static void under_the_name_of_dumb_init_its_options_are_understood(void **state)
{
	(void)state;
	assert_int_equal(MAKE_AS("dumb-init", "-r", "15:3", "--rewrite", "20:0", "sh", "-c"),
			 PLAN_RUN);
	assert_ptr_equal(plan.personality, &personality_dumb_init);
	assert_true(plan.own_session && plan.stops_too && !plan.rules.single_child);
	assert_int_equal(plan.rules.becomes[SIGTERM], SIGQUIT);
	assert_int_equal(plan.rules.becomes[SIGTSTP], 0);
	assert_int_equal(plan.rules.becomes[SIGTTIN], SIGSTOP);
	assert_int_equal(MAKE_AS("dumb-init", "-cv", "true"), PLAN_RUN);
	assert_true(!plan.own_session && plan.rules.single_child);
	assert_int_equal(plan.rules.becomes[SIGTSTP], SIGTSTP);
	assert_int_equal(plan.talk, TALK_SIGNALS);
	setenv("DUMB_INIT_SETSID", "0", 1);
	setenv("DUMB_INIT_DEBUG", "1", 1);
	assert_int_equal(MAKE_AS("/usr/bin/dumb-init", "true"), PLAN_RUN);
	assert_true(!plan.own_session && plan.rules.single_child);
	assert_int_equal(plan.talk, TALK_SIGNALS);
	unsetenv("DUMB_INIT_SETSID");
	unsetenv("DUMB_INIT_DEBUG");
}

static void wrong_command_lines_of_others_are_refused_as_they_do(void **state)
{
	(void)state;
	assert_int_equal(MAKE_AS("tini", "-x", "true"), PLAN_REFUSED);
	assert_int_equal(MAKE_AS("tini", "-e", "300", "true"), PLAN_REFUSED);
	assert_int_equal(MAKE_AS("tini", "-p", "SIGFOO", "true"), PLAN_REFUSED);
	assert_int_equal(MAKE_AS("tini", "--"), PLAN_REFUSED);
	assert_int_equal(MAKE_AS("tini", "--hold", "1m", "true"), PLAN_REFUSED);
	assert_int_equal(MAKE_AS("tini", "--version"), PLAN_DONE);
	assert_int_equal(MAKE_AS("dumb-init", "-r", "15", "true"), PLAN_REFUSED);
	assert_int_equal(MAKE_AS("dumb-init", "--dir", "x", "true"), PLAN_REFUSED);
	assert_int_equal(MAKE_AS("dumb-init", "--help", "true"), PLAN_DONE);
}

static void what_is_installed_first_becomes_the_command(void **state)
{
	char from[] = "/tmp/berth-plan-XXXXXX";
	cleanup_free char *what = NULL;

	(void)state;
	assert_non_null(mkdtemp(from));
	what = str_printf("%s:%s/to:0700", from, from);
	assert_int_equal(MAKE("--install", what, "--", "/x/init", "--dir"), PLAN_BECOME);
	assert_string_equal(plan.command[0], "/x/init");
	assert_string_equal(plan.command[1], "--dir");
	assert_null(plan.command[2]);
	assert_int_equal(MAKE("--install", what), PLAN_DONE);
	assert_int_equal(fs_remove_tree(from, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(marks_are_taken_off_the_command),
		cmocka_unit_test(options_end_at_the_command),
		cmocka_unit_test(a_directory_brings_a_status_and_a_tunnel),
		cmocka_unit_test(relative_paths_are_from_where_it_was_started),
		cmocka_unit_test(the_tunnel_is_found_beside_the_program),
		cmocka_unit_test(the_rank_is_slurms_unless_given),
		cmocka_unit_test(the_rank_of_a_task_of_an_array_counts_those_before_it),
		cmocka_unit_test(what_is_installed_first_becomes_the_command),
		cmocka_unit_test(a_number_stands_for_a_rank_of_a_task),
		cmocka_unit_test(wrong_command_lines_are_refused),
		cmocka_unit_test(signals_and_exits_can_be_rewritten),
		cmocka_unit_test(each_v_says_more),
		cmocka_unit_test(under_the_name_of_tini_its_options_are_understood),
		cmocka_unit_test(under_the_name_of_dumb_init_its_options_are_understood),
		cmocka_unit_test(wrong_command_lines_of_others_are_refused_as_they_do),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
