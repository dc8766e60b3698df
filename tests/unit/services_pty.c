/* SPDX-License-Identifier: MIT */
/* The berth-process service with a terminal. */
#include "tests/unit/services_world.h"

#include <signal.h>
#include <stdlib.h>

#include "tests/unit/unit.h"

static struct world world;

static int open_world(void **state)
{
	(void)state;
	setenv("SHELL", "/bin/sh", 1);
	world_open(&world, &(struct service_config){ 0 });
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	world_close(&world);
	return 0;
}

static struct process_start start_with_pty(const char *command)
{
	return (struct process_start){
		.kind = PROCESS_EXEC,
		.command = span_of_str(command),
		.has_pty = true,
		.term = span_of_str("vt100"),
		.window = { .columns = 81, .rows = 25 },
	};
}

static pid_t watched;

static bool watched_is_gone(struct world *w)
{
	(void)w;
	return kill(watched, 0) < 0;
}

static void a_client_that_goes_away_hangs_the_terminal_up(void **state)
{
	struct process_start start = start_with_pty("echo $$; exec sleep 60");
	struct client *c = world_process(&world, &start);

	(void)state;
	world_wait(&world, first_has_output);
	watched = (pid_t)client_number(c);
	assert_int_equal(kill(watched, 0), 0);
	client_close(c);
	/* Gone also from the process table: it is reaped though nobody asks for it any more. */
	world_wait(&world, watched_is_gone);
}

static void a_terminal_has_its_size_type_and_name(void **state)
{
	struct process_start start = start_with_pty(
		"stty size; echo $TERM; test \"$SSH_TTY\" = \"$(tty)\" && echo same; "
		"ps -o tty= -p $$ | grep -q pts && echo controlling");
	struct client *c = world_process(&world, &start);

	(void)state;
	world_wait(&world, all_ended);
	assert_string_equal(buf_str(&c->out), "25 81\r\nvt100\r\nsame\r\ncontrolling\r\n");
	assert_int_equal(c->exit.status, 0);
}

static void a_new_size_is_signalled_to_the_program(void **state)
{
	struct process_start start = start_with_pty(
		"trap 'stty size; exit 6' WINCH; echo ready; while :; do read x; done");
	struct client *c = world_process(&world, &start);
	struct process_window window = { .columns = 132, .rows = 43 };
	cleanup(buf_finish) struct buf b = BUF_INIT(64);

	(void)state;
	world_wait(&world, first_has_output);
	assert_true(process_window_format(&window, &b));
	client_send(c, buf_span(&b));
	world_wait(&world, all_ended);
	assert_string_equal(buf_str(&c->out), "ready\r\n43 132\r\n");
	assert_int_equal(c->exit.status, 6);
}

static void terminal_modes_are_applied(void **state)
{
	/* No echo, no CR before NL, ^X interrupts. */
	static const uint8_t modes[] = { 53, 0, 0, 0, 0, 72, 0, 0, 0, 0, 1, 0, 0, 0, 24, 0 };
	struct process_start start = start_with_pty("stty -a; cat");
	struct client *c;

	(void)state;
	start.modes = span_of(modes, sizeof(modes));
	c = world_process(&world, &start);
	world_wait(&world, first_has_output);
	world_run(&world, 50);
	assert_non_null(strstr(buf_str(&c->out), "intr = ^X"));
	assert_non_null(strstr(buf_str(&c->out), " -echo "));
	assert_non_null(strstr(buf_str(&c->out), " -onlcr"));
	assert_null(strstr(buf_str(&c->out), "\r"));
	client_send_str(c, "\x18");
	world_wait(&world, all_ended);
	assert_true(c->exit.signalled);
	assert_string_equal(c->signal, "INT");
}

static void the_end_of_input_is_typed_on_a_terminal(void **state)
{
	struct process_start start = start_with_pty("stty -echo; cat; echo over");
	struct client *c = world_process(&world, &start);

	(void)state;
	/* The line is not complete: the first ^D hands it over, the second ends the input. */
	client_send_str(c, "no newline");
	client_send_capsule(c, PROCESS_STDIN_END, (struct span){ 0 });
	world_wait(&world, all_ended);
	assert_non_null(strstr(buf_str(&c->out), "over"));
	assert_int_equal(c->exit.status, 0);
}

static void a_background_process_does_not_hold_a_terminals_stream(void **state)
{
	/* It says who it is before its parent ends, and ends by itself if nobody ends it. */
	struct process_start start =
		start_with_pty("trap '' HUP; trap 'exit 9' USR1; "
			       "sh -c 'echo $$; kill -USR1 $PPID; n=0; "
			       "while [ $n -lt 1000000 ]; do echo x; n=$((n+1)); done' & wait");
	struct client *c = world_process(&world, &start);

	(void)state;
	world_wait(&world, all_ended);
	assert_int_equal(c->exit.status, 9);
	assert_true(c->out_len < 200 * 1024);
	assert_true(client_number(c) > 1);
	kill((pid_t)client_number(c), SIGKILL);
}

static void all_output_of_a_terminal_comes_before_the_end(void **state)
{
	struct process_start start = start_with_pty("stty -opost; seq 1 100000");
	struct client *c = world_process(&world, &start);

	(void)state;
	c->pace = 10000;
	world_wait(&world, all_ended);
	assert_int_equal(c->out_len, 588895);
	assert_int_equal(c->exit.status, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_client_that_goes_away_hangs_the_terminal_up),
		TEST(a_terminal_has_its_size_type_and_name),
		TEST(a_new_size_is_signalled_to_the_program),
		TEST(terminal_modes_are_applied),
		TEST(the_end_of_input_is_typed_on_a_terminal),
		TEST(a_background_process_does_not_hold_a_terminals_stream),
		TEST(all_output_of_a_terminal_comes_before_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
