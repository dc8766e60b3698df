/* SPDX-License-Identifier: MIT */
/* The berth-process service: real processes, a real loop, a fake stream. */
#include "tests/unit/services_world.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "init/base/fs.h"
#include "tests/unit/unit.h"

#define MIB (1024 * 1024)

static struct world world;

static int open_world(void **state)
{
	(void)state;
	setenv("SHELL", "/bin/sh", 1);
	setenv("JOB_VARIABLE", "with 'quotes' and\nlines", 1);
	world_open(&world, &(struct service_config){ 0 });
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	world_close(&world);
	return 0;
}

static void output_error_and_status_come_apart(void **state)
{
	struct client *c = world_exec(&world, "echo out; echo err >&2; exit 7");

	(void)state;
	world_wait(&world, all_ended);
	assert_int_equal(c->stream->status, 200);
	assert_string_equal(buf_str(&c->out), "out\n");
	assert_string_equal(buf_str(&c->err), "err\n");
	assert_true(c->has_exit);
	assert_false(c->exit.signalled);
	assert_int_equal(c->exit.status, 7);
}

static void input_in_the_first_flight_reaches_the_command(void **state)
{
	struct client *c = world_exec(&world, "cat; echo done");

	(void)state;
	client_send_str(c, "hello ");
	client_send_str(c, "world\n");
	client_send_capsule(c, PROCESS_STDIN_END, (struct span){ 0 });
	world_wait(&world, all_ended);
	assert_string_equal(buf_str(&c->out), "hello world\ndone\n");
	assert_int_equal(c->stream->unconsumed, 0);
}

static void the_end_of_the_stream_ends_the_input_too(void **state)
{
	struct client *c = world_exec(&world, "wc -c");

	(void)state;
	client_send_str(c, "12345");
	fake_h3_send_end(c->stream);
	world_wait(&world, all_ended);
	assert_int_equal(client_number(c), 5);
}

/* What `bytes` writes: a pattern that shows lost, doubled and swapped pieces. */
static void fill_pattern(uint8_t *out, size_t len)
{
	uint32_t x = 12345;

	for (size_t i = 0; i < len; i++) {
		x = x * 1103515245 + 12345;
		out[i] = (uint8_t)(x >> 16);
	}
}

static void sixty_four_megabytes_go_through_cat_and_little_is_held(void **state)
{
	size_t len = 64 * MIB, head_len;
	uint8_t *bytes = malloc(len + CAPSULE_HEAD_MAX), head[CAPSULE_HEAD_MAX];
	struct client *c = world_exec(&world, "cat");

	(void)state;
	assert_non_null(bytes);
	/* One capsule of 64 MiB: its length is no limit. */
	head_len = capsule_put_head(PROCESS_STDIN, len, head);
	memcpy(bytes, head, head_len);
	fill_pattern(bytes + head_len, len);
	c->send = span_of(bytes, head_len + len);
	c->send_end = true;
	c->pace = 300 * 1000; /* a turn: slower than cat */
	world_wait(&world, all_ended);
	assert_int_equal(c->out_len, len);
	assert_true(c->out_sum == sum_of(SUM_START, span_of(bytes + head_len, len)));
	assert_true(c->stream->send_max <= H3_SEND_MAX);
	assert_int_equal(c->exit.status, 0);
	free(bytes);
}

static void a_reader_that_stops_stops_the_command(void **state)
{
	struct client *c = world_exec(&world, "yes");

	(void)state;
	c->pace = 0;
	world_run(&world, 200);
	assert_true(buf_len(&c->stream->send) > H3_SEND_MAX / 2);
	assert_true(c->stream->send_max <= H3_SEND_MAX);
	c->pace = EVERYTHING;
	world_run(&world, 50);
	assert_true(c->out_len > H3_SEND_MAX);
}

static void a_client_that_wants_no_more_output_breaks_the_pipe_and_nothing_else(void **state)
{
	struct client *c = world_exec(&world, "yes; echo $? >&2; exit 6");

	(void)state;
	world_wait(&world, first_has_output);
	client_send_capsule(c, PROCESS_STDOUT_STOP, (struct span){ 0 });
	client_send_capsule(c, PROCESS_STDOUT_STOP, (struct span){ 0 });
	world_wait(&world, all_ended);
	/* 128 + SIGPIPE, of yes; the shell goes on and standard error is still there. */
	assert_string_equal(buf_str(&c->err), "141\n");
	assert_int_equal(c->exit.status, 6);
}

static void input_that_is_not_read_is_not_consumed(void **state)
{
	static uint8_t bytes[FAKE_H3_WINDOW];
	struct client *c = world_exec(&world, "exec sleep 60");
	uint8_t head[CAPSULE_HEAD_MAX];
	size_t head_len = capsule_put_head(PROCESS_STDIN, 16 * MIB, head);

	(void)state;
	client_send(c, span_of(head, head_len));
	for (int i = 0; i < 10; i++) {
		(void)fake_h3_send(c->stream, span_of(bytes, sizeof(bytes)));
		world_run(&world, 10);
	}
	/* The pipe (at most 1 MiB) took a part; the window is used up and stays so. */
	assert_true(c->stream->consumed < 3 * MIB);
	assert_int_equal(c->stream->unconsumed, FAKE_H3_WINDOW);
}

static void input_for_a_command_that_does_not_read_is_no_error(void **state)
{
	static uint8_t bytes[FAKE_H3_WINDOW];
	struct client *c = world_exec(&world, "exec <&-; sleep 0.2; exit 3");
	uint8_t head[CAPSULE_HEAD_MAX];
	size_t head_len = capsule_put_head(PROCESS_STDIN, 1000 * MIB, head);

	(void)state;
	client_send(c, span_of(head, head_len));
	for (int i = 0; i < 20 && !c->stream->ended; i++) {
		(void)fake_h3_send(c->stream, span_of(bytes, sizeof(bytes)));
		world_run(&world, 20);
	}
	world_wait(&world, all_ended);
	assert_int_equal(c->exit.status, 3);
	/* What still comes is thrown away, with credit for it. */
	assert_true(fake_h3_send(c->stream, span_of(bytes, sizeof(bytes))) > 0);
	assert_int_equal(c->stream->unconsumed, 0);
}

static void a_signal_reaches_the_whole_group(void **state)
{
	struct client *c = world_exec(&world, "trap 'echo got; exit 4' TERM; "
					      "(echo ready; exec sleep 60) & wait");

	(void)state;
	world_wait(&world, first_has_output);
	client_send_capsule(c, PROCESS_SIGNAL, span_of_str("TERM"));
	world_wait(&world, all_ended);
	assert_string_equal(buf_str(&c->out), "ready\ngot\n");
	assert_int_equal(c->exit.status, 4);
}

static void a_command_that_dies_of_a_signal_says_which(void **state)
{
	struct client *c = world_exec(&world, "kill -USR1 $$");
	struct client *known = world_exec(&world, "exec sleep 60");

	(void)state;
	client_send_capsule(known, PROCESS_SIGNAL, span_of_str("NOSUCH"));
	client_send_capsule(known, PROCESS_SIGNAL, span_of_str("KILL"));
	world_wait(&world, all_ended);
	assert_true(c->exit.signalled);
	assert_string_equal(c->signal, "USR1");
	assert_false(c->exit.core_dumped);
	assert_true(known->exit.signalled);
	assert_string_equal(known->signal, "KILL");
}

static void a_background_process_that_holds_the_output_holds_the_stream(void **state)
{
	struct client *c = world_exec(&world, "(sleep 0.3; echo late) & echo early; exit 5");

	(void)state;
	world_wait(&world, all_ended);
	assert_string_equal(buf_str(&c->out), "early\nlate\n");
	assert_int_equal(c->exit.status, 5);
}

static void a_background_process_that_lets_go_of_the_output_does_not(void **state)
{
	struct client *c = world_exec(&world, "sleep 60 >/dev/null 2>&1 </dev/null & echo $!");

	(void)state;
	world_wait(&world, all_ended);
	assert_int_equal(c->exit.status, 0);
	assert_int_equal(kill((pid_t)client_number(c), SIGKILL), 0);
}

static void a_client_that_goes_away_kills_nothing_without_a_terminal(void **state)
{
	struct client *c = world_exec(&world, "echo $$; trap '' HUP; exec sleep 60");
	pid_t pid;

	(void)state;
	world_wait(&world, first_has_output);
	pid = (pid_t)client_number(c);
	client_close(c);
	world_run(&world, 50);
	assert_int_equal(kill(pid, 0), 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
}

static bool has_200_exits(struct world *w)
{
	size_t exits = 0;

	for (size_t i = 0; i < w->clients_len; i++)
		exits += w->clients[i].has_exit && w->clients[i].stream->ended;
	return exits == 200;
}

static void two_hundred_processes_run_at_once(void **state)
{
	char expected[32];

	(void)state;
	for (int i = 0; i < 200; i++) {
		struct client *c = world_exec(&world, "read n; echo \"got $n\"; exit $((n % 100))");

		/* Every one of them waits until the last is there. */
		assert_int_equal(c->stream->status, 200);
	}
	assert_int_equal(world.env.streams, 200);
	for (int i = 0; i < 200; i++) {
		snprintf(expected, sizeof(expected), "%d\n", i);
		client_send_str(&world.clients[i], expected);
	}
	world_wait(&world, has_200_exits);
	for (int i = 0; i < 200; i++) {
		snprintf(expected, sizeof(expected), "got %d\n", i);
		assert_string_equal(buf_str(&world.clients[i].out), expected);
		assert_int_equal(world.clients[i].exit.status, i % 100);
	}
}

static void the_clients_variables_and_the_jobs_are_there(void **state)
{
	static struct process_start start;
	struct client *c;

	(void)state;
	start = (struct process_start){ .kind = PROCESS_EXEC,
					.command = span_of_str(
						"echo \"$JOB_VARIABLE|$LC_X|$SSH_CONNECTION|"
						"${SSH_TTY-none}|${SSH_CLIENT-none}\""),
					.env_len = 1,
					.env = { { span_of_str("LC_X"), span_of_str("y") } } };
	unsetenv("SSH_TTY");
	unsetenv("SSH_CLIENT");
	c = world_process(&world, &start);
	world_wait(&world, all_ended);
	assert_string_equal(buf_str(&c->out), "with 'quotes' and\nlines|y|127.0.0.1 65535 "
					      "127.0.0.1 22|none|none\n");
}

static void a_shell_is_a_login_shell(void **state)
{
	static struct process_start start;
	struct client *c;

	(void)state;
	start = (struct process_start){ .kind = PROCESS_SHELL };
	c = world_process(&world, &start);
	client_send_str(c, "echo $0\nexit 8\n");
	world_wait(&world, all_ended);
	assert_non_null(strstr(buf_str(&c->out), "-sh\n"));
	assert_int_equal(c->exit.status, 8);
}

static void a_process_has_a_session_and_nothing_of_ours(void **state)
{
	struct client *c;
	sigset_t mask;
	char expected[100];

	(void)state;
	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR2);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	c = world_exec(&world,
		       "for i in $(seq 3 40); do test -e /proc/$$/fd/$i && echo fd $i; done; "
		       "grep -E 'SigBlk|SigIgn' /proc/$$/status | tr -d '\\t\\n'; "
		       "test $(ps -o sid= -p $$) -eq $$ && echo ' leader'; ulimit -n");
	sigprocmask(SIG_UNBLOCK, &mask, NULL);
	world_wait(&world, all_ended);
	snprintf(expected, sizeof(expected),
		 "SigBlk:0000000000000000SigIgn:0000000000000000 leader\n%llu\n",
		 (unsigned long long)world.env.limits.items[0].value.rlim_cur);
	assert_string_equal(buf_str(&c->out), expected);
}

static void what_cannot_be_run_is_refused_with_a_reason(void **state)
{
	static struct process_start start;
	struct client *netconf, *nul;

	(void)state;
	start = (struct process_start){ .kind = PROCESS_SUBSYSTEM,
					.command = span_of_str("netconf") };
	netconf = world_process(&world, &start);
	start = (struct process_start){ .kind = PROCESS_EXEC, .command = span_of("a\0b", 3) };
	nul = world_process(&world, &start);
	world_wait(&world, all_answered);
	assert_int_equal(netconf->stream->status, 501);
	assert_string_equal(buf_str(&netconf->stream->error),
			    "this job does not offer the subsystem netconf");
	assert_int_equal(nul->stream->status, 400);
}

static struct client *open_bare(void)
{
	static const struct h3_request request = { .method = "CONNECT",
						   .protocol = "berth-process",
						   .authority = "job",
						   .path = "/process" };
	struct client *c = world_request(&world, &request);

	c->is_process = true;
	return c;
}

static void a_stream_that_does_not_begin_with_start_is_refused(void **state)
{
	struct client *c = open_bare(), *input = open_bare(), *empty = open_bare();

	(void)state;
	client_send_capsule(c, PROCESS_WINDOW, span_of("\1\1\0\0", 4));
	assert_int_equal(c->stream->status, 502);
	client_send_str(input, "too early");
	assert_int_equal(input->stream->status, 502);
	fake_h3_send_end(empty->stream);
	assert_int_equal(empty->stream->status, 502);
	/* What comes after the rejection harms nobody. */
	client_send_str(input, "and again");
	assert_int_equal(input->stream->unconsumed, 0);
}

static void a_broken_capsule_resets_the_stream_and_unknown_ones_are_skipped(void **state)
{
	static uint8_t junk[300 * 1024];
	struct client *c = world_exec(&world, "cat");

	(void)state;
	client_send_capsule(c, 0x1234, span_of(junk, sizeof(junk)));
	client_send_str(c, "after");
	world_wait(&world, first_has_output);
	assert_string_equal(buf_str(&c->out), "after");
	client_send_capsule(c, PROCESS_WINDOW, span_of("\1", 1));
	assert_true(c->stream->reset);
	client_send_str(c, "ignored");
	c = world_exec(&world, "cat");
	client_send_capsule(c, PROCESS_STDIN_END, span_of_str("x"));
	assert_true(c->stream->reset);
}

static void what_cannot_be_executed_is_told_on_standard_error(void **state)
{
	static struct process_start start;
	char path[] = "/tmp/berth-shell-XXXXXX";
	static const char script[] = "#!/nonexistent/interpreter\n";
	int fd = mkstemp(path);
	struct client *c;

	(void)state;
	assert_true(write(fd, script, strlen(script)) > 0);
	assert_int_equal(fchmod(fd, 0755), 0);
	close(fd);
	setenv("SHELL", path, 1);
	start = (struct process_start){ .kind = PROCESS_EXEC, .command = span_of_str("true") };
	c = world_process(&world, &start);
	world_wait(&world, all_ended);
	assert_int_equal(c->exit.status, 127);
	assert_non_null(strstr(buf_str(&c->err), "does not exist"));
	unlink(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(output_error_and_status_come_apart),
		TEST(input_in_the_first_flight_reaches_the_command),
		TEST(the_end_of_the_stream_ends_the_input_too),
		TEST(sixty_four_megabytes_go_through_cat_and_little_is_held),
		TEST(a_reader_that_stops_stops_the_command),
		TEST(a_client_that_wants_no_more_output_breaks_the_pipe_and_nothing_else),
		TEST(input_that_is_not_read_is_not_consumed),
		TEST(input_for_a_command_that_does_not_read_is_no_error),
		TEST(a_signal_reaches_the_whole_group),
		TEST(a_command_that_dies_of_a_signal_says_which),
		TEST(a_background_process_that_holds_the_output_holds_the_stream),
		TEST(a_background_process_that_lets_go_of_the_output_does_not),
		TEST(a_client_that_goes_away_kills_nothing_without_a_terminal),
		TEST(two_hundred_processes_run_at_once),
		TEST(the_clients_variables_and_the_jobs_are_there),
		TEST(a_shell_is_a_login_shell),
		TEST(a_process_has_a_session_and_nothing_of_ours),
		TEST(what_cannot_be_run_is_refused_with_a_reason),
		TEST(a_stream_that_does_not_begin_with_start_is_refused),
		TEST(a_broken_capsule_resets_the_stream_and_unknown_ones_are_skipped),
		TEST(what_cannot_be_executed_is_told_on_standard_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
