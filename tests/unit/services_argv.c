/* SPDX-License-Identifier: MIT */
/* The berth-process service, asked for an argument list or a subsystem, not a command line. */
#include "tests/unit/services_world.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

static struct world world;

static int open_world(void **state)
{
	(void)state;
	setenv("SHELL", "/nonexistent", 1);
	world_open(&world, &(struct service_config){ 0 });
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	world_close(&world);
	return 0;
}

static struct client *run_list(struct span list, const char *directory)
{
	static struct process_start start;

	start = (struct process_start){ .kind = PROCESS_ARGV,
					.command = list,
					.directory = span_of_str(directory) };
	return world_process(&world, &start);
}

static void each_argument_of_a_list_reaches_the_program_as_it_is(void **state)
{
	static const char list[] = "printf\0<%s>\0\0$HOME\0'\"\\ `\0-c\0a\nb";
	struct client *c = run_list(span_of(list, sizeof(list)), "");

	(void)state;
	world_wait(&world, all_ended);
	assert_int_equal(c->exit.status, 0);
	assert_string_equal(buf_str(&c->out), "<><$HOME><'\"\\ `><-c><a\nb>");
}

static void a_list_runs_in_the_directory_that_it_names(void **state)
{
	struct client *c = run_list(span_of("pwd\0-P", 7), "/proc");

	(void)state;
	world_wait(&world, all_ended);
	assert_string_equal(buf_str(&c->out), "/proc\n");
}

static void a_program_that_is_not_there_says_so_and_is_127(void **state)
{
	struct client *c = run_list(span_of("no-such-program", 16), "");

	(void)state;
	world_wait(&world, all_ended);
	assert_int_equal(c->exit.status, 127);
	assert_non_null(strstr(buf_str(&c->err), "no-such-program: it, or the interpreter"));
}

static void what_cannot_be_executed_says_so_and_is_126(void **state)
{
	struct client *program = run_list(span_of("/etc/passwd", 12), "");
	struct client *directory = run_list(span_of("true", 5), "/etc/passwd");

	(void)state;
	world_wait(&world, all_ended);
	assert_int_equal(program->exit.status, 126);
	assert_string_equal(buf_str(&program->err), "berth: /etc/passwd: cannot be executed\n");
	assert_int_equal(directory->exit.status, 126);
	assert_non_null(strstr(buf_str(&directory->err), "cannot change to this directory"));
}

static void nobody_came_by_ssh(void **state)
{
	struct client *c = run_list(span_of("env", 4), "");

	(void)state;
	world_wait(&world, all_ended);
	assert_null(strstr(buf_str(&c->out), "SSH_CONNECTION"));
	assert_non_null(strstr(buf_str(&c->out), "SHELL=/nonexistent"));
}

static void a_subsystem_is_a_verb_of_this_program_without_a_terminal(void **state)
{
	static struct process_start start;
	struct client *c;

	(void)state;
	world.env.config.program = "/bin/sh";
	start = (struct process_start){ .kind = PROCESS_SUBSYSTEM,
					.command = span_of_str("sftp"),
					.has_pty = true,
					.term = span_of_str("vt100") };
	c = world_process(&world, &start);
	world_wait(&world, all_ended);
	/* The shell takes the verb for a script and says under which name it was started. */
	assert_int_not_equal(c->exit.status, 0);
	assert_non_null(strstr(buf_str(&c->err), "berth-tunnel: "));
	assert_non_null(strstr(buf_str(&c->err), "sftp"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_argument_of_a_list_reaches_the_program_as_it_is),
		TEST(a_list_runs_in_the_directory_that_it_names),
		TEST(a_program_that_is_not_there_says_so_and_is_127),
		TEST(what_cannot_be_executed_says_so_and_is_126),
		TEST(nobody_came_by_ssh),
		TEST(a_subsystem_is_a_verb_of_this_program_without_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
