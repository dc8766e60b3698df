/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

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

#define MAKE(...) make((char *[]){ "berth-init", __VA_ARGS__, NULL })

static int set_up(void **state)
{
	(void)state;
	unsetenv("SLURM_PROCID");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	plan_finish(&plan);
	return 0;
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
	assert_false(plan.verbose);
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
	unsetenv("SLURM_PROCID");
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
	assert_null(plan.command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_end_at_the_command),
		cmocka_unit_test(a_directory_brings_a_status_and_a_tunnel),
		cmocka_unit_test(relative_paths_are_from_where_it_was_started),
		cmocka_unit_test(the_tunnel_is_found_beside_the_program),
		cmocka_unit_test(the_rank_is_slurms_unless_given),
		cmocka_unit_test(wrong_command_lines_are_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
