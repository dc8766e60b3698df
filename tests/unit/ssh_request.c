/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "tests/unit/ssh_peer.h"

DEFINE_CLEANUP_VALUE(struct peer, peer_finish)

static void open_session(struct peer *p)
{
	peer_init(p, &PEER_DEFAULT);
	peer_skip_to(p, STATE_OPEN);
	assert_int_equal(peer_open_session(p, 5), 0);
}

static bool is_granted(struct peer *p)
{
	uint8_t number = 0;
	struct wire r;

	assert_false(p->over);
	assert_true(peer_next(p, &number, &r));
	assert_int_equal(wire_u32(&r), 5);
	assert_true(number == MSG_CHANNEL_SUCCESS || number == MSG_CHANNEL_FAILURE);
	return number == MSG_CHANNEL_SUCCESS;
}

/* Sends a request for channel 0 that wants an answer, and tells whether it was granted. */
#define ask(p, name, format, ...)                                                        \
	(peer_put((p), MSG_CHANNEL_REQUEST, "utb" format, 0u, (name), 1, ##__VA_ARGS__), \
	 is_granted(p))

static void a_session_is_told_all_that_was_asked_for(void **state)
{
	cleanup(peer_finish) struct peer p;
	const struct ssh_start *start;

	(void)state;
	open_session(&p);
	assert_true(ask(&p, "pty-req", "tuuuus", "xterm", 80u, 24u, 640u, 480u,
			span_of("\x01\x00\x00\x00\x03\x00", 6)));
	assert_true(ask(&p, "env", "tt", "LANG", "C.UTF-8"));
	assert_true(ask(&p, "env", "tt", "EMPTY", ""));
	/* A change of size before the start is part of it. */
	assert_true(ask(&p, "window-change", "uuuu", 100u, 50u, 0u, 0u));
	assert_int_equal(p.seen.size_changes, 0);
	assert_true(ask(&p, "exec", "t", "make test"));
	start = p.seen.start;
	assert_int_equal(start->kind, SSH_START_EXEC);
	assert_string_equal(start->command, "make test");
	assert_string_equal(start->pty->term, "xterm");
	assert_int_equal(start->pty->columns, 100);
	assert_int_equal(start->pty->rows, 50);
	assert_int_equal(start->pty->modes.len, 6);
	assert_memory_equal(start->pty->modes.ptr, "\x01\x00\x00\x00\x03\x00", 6);
	assert_int_equal(start->env_len, 2);
	assert_string_equal(start->env[0].name, "LANG");
	assert_string_equal(start->env[0].value, "C.UTF-8");
	assert_string_equal(start->env[1].value, "");
	assert_true(ask(&p, "window-change", "uuuu", 10u, 5u, 1u, 2u));
	assert_int_equal(p.seen.size_changes, 1);
	assert_int_equal(p.seen.size.columns, 10);
	assert_string_equal(p.seen.size.term, "xterm");
}

static void shell_and_subsystem_are_starts_too(void **state)
{
	cleanup(peer_finish) struct peer shell, subsystem;

	(void)state;
	open_session(&shell);
	assert_true(ask(&shell, "shell", ""));
	assert_int_equal(shell.seen.start->kind, SSH_START_SHELL);
	assert_null(shell.seen.start->command);
	assert_null(shell.seen.start->pty);
	open_session(&subsystem);
	subsystem.seen.on_start = START_FAILS;
	assert_false(ask(&subsystem, "subsystem", "t", "sftp"));
	assert_int_equal(subsystem.seen.start->kind, SSH_START_SUBSYSTEM);
	assert_string_equal(subsystem.seen.start->command, "sftp");
}

static void a_session_starts_once(void **state)
{
	static const char *const starts[] = { "shell", "exec", "subsystem" };
	cleanup(peer_finish) struct peer p;

	(void)state;
	open_session(&p);
	assert_true(ask(&p, "exec", "t", "true"));
	for (size_t i = 0; i < ARRAY_LEN(starts); i++)
		assert_false(ask(&p, starts[i], "t", "true"));
	assert_false(ask(&p, "pty-req", "tuuuut", "vt100", 1u, 1u, 1u, 1u, ""));
	assert_false(ask(&p, "env", "tt", "A", "b"));
	assert_int_equal(p.seen.starts, 1);
}

static void answers_keep_the_order_of_requests(void **state)
{
	cleanup(peer_finish) struct peer p;

	(void)state;
	open_session(&p);
	p.seen.on_start = START_WAITS;
	peer_put(&p, MSG_CHANNEL_REQUEST, "utbt", 0u, "exec", 1, "sleep 1");
	peer_put(&p, MSG_CHANNEL_REQUEST, "utb", 0u, "keepalive@openssh.com", 1);
	peer_put(&p, MSG_CHANNEL_REQUEST, "utbt", 0u, "signal", 1, "INT");
	/* That the answers have to wait does not mean that nobody is there. */
	peer_expect(&p, MSG_IGNORE);
	peer_expect(&p, MSG_IGNORE);
	assert_int_equal(ssh_server_output(p.server).len, 0);
	/* Data may come before the answer, and is not lost. */
	peer_put(&p, MSG_CHANNEL_DATA, "ut", 0u, "early");
	assert_string_equal(buf_str(&p.seen.input), "early");
	ssh_channel_started(p.seen.channels[0], true);
	peer_expect(&p, MSG_CHANNEL_SUCCESS);
	peer_expect(&p, MSG_CHANNEL_FAILURE);
	peer_expect(&p, MSG_CHANNEL_SUCCESS);
	assert_int_equal(ssh_server_output(p.server).len, 0);
}

static void a_start_without_a_wish_for_an_answer_gets_none(void **state)
{
	cleanup(peer_finish) struct peer p;

	(void)state;
	open_session(&p);
	peer_put(&p, MSG_CHANNEL_REQUEST, "utbtt", 0u, "env", 1, "A", "b");
	peer_expect(&p, MSG_CHANNEL_SUCCESS);
	peer_put(&p, MSG_CHANNEL_REQUEST, "utbt", 0u, "exec", 0, "true");
	assert_int_equal(p.seen.starts, 1);
	assert_int_equal(ssh_server_output(p.server).len, 0);
}

static void too_many_requests_behind_a_start_end_the_connection(void **state)
{
	cleanup(peer_finish) struct peer p;

	(void)state;
	open_session(&p);
	p.seen.on_start = START_WAITS;
	peer_put(&p, MSG_CHANNEL_REQUEST, "utb", 0u, "shell", 1);
	for (int i = 0; i < CHANNEL_REPLIES_MAX; i++)
		peer_put(&p, MSG_CHANNEL_REQUEST, "utb", 0u, "keepalive@openssh.com", 1);
	assert_false(p.over);
	peer_put(&p, MSG_CHANNEL_REQUEST, "utb", 0u, "keepalive@openssh.com", 1);
	assert_true(peer_ended(&p, "too many requests at once"));
}

static void signals_and_eow_reach_a_running_session_only(void **state)
{
	cleanup(peer_finish) struct peer p;

	(void)state;
	open_session(&p);
	assert_false(ask(&p, "signal", "t", "TERM"));
	assert_true(ask(&p, "eow@openssh.com", ""));
	assert_int_equal(p.seen.signals + p.seen.unwanted, 0);
	assert_true(ask(&p, "shell", ""));
	assert_true(ask(&p, "signal", "t", "TERM"));
	assert_string_equal(p.seen.signal, "TERM");
	assert_true(ask(&p, "eow@openssh.com", ""));
	assert_int_equal(p.seen.unwanted, 1);
	assert_true(ask(&p, "break", "u", 500u));
	/* Without a terminal there is no size to change. */
	assert_false(ask(&p, "window-change", "uuuu", 1u, 1u, 1u, 1u));
}

static void data_before_and_without_a_process_is_dropped(void **state)
{
	cleanup(peer_finish) struct peer p;
	static uint8_t block[CHANNEL_DATA_MAX];

	(void)state;
	open_session(&p);
	p.seen.on_start = START_FAILS;
	for (int i = 0; i < 200; i++)
		peer_put(&p, MSG_CHANNEL_DATA, "us", 0u, span_of(block, sizeof(block)));
	peer_put(&p, MSG_CHANNEL_REQUEST, "utbt", 0u, "subsystem", 0, "sftp");
	for (int i = 0; i < 200; i++)
		peer_put(&p, MSG_CHANNEL_DATA, "us", 0u, span_of(block, sizeof(block)));
	assert_false(p.over);
	assert_int_equal(p.seen.input_len, 0);
}

static void what_is_not_offered_is_refused_and_harmless(void **state)
{
	static const char *const names[] = { "x11-req", "xon-xoff", "keepalive@openssh.com",
					     "exit-status", "" };
	cleanup(peer_finish) struct peer p;

	(void)state;
	open_session(&p);
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_false(ask(&p, names[i], "r", span_of_str("whatever")));
}

static void session_requests_mean_nothing_on_a_forward(void **state)
{
	cleanup(peer_finish) struct peer p;

	(void)state;
	peer_init(&p, &PEER_DEFAULT);
	peer_skip_to(&p, STATE_OPEN);
	peer_put(&p, MSG_CHANNEL_OPEN, "tuuututu", "direct-tcpip", 5u, 100u, 1000u, "h", 1u, "",
		 0u);
	peer_expect(&p, MSG_CHANNEL_OPEN_CONFIRMATION);
	assert_false(ask(&p, "exec", "t", "true"));
	assert_false(ask(&p, "shell", ""));
	assert_false(ask(&p, "env", "tt", "A", "b"));
	assert_int_equal(p.seen.starts, 0);
}

static void environment_is_limited_in_names_number_and_size(void **state)
{
	cleanup(peer_finish) struct peer p;
	static char large[32 * 1024 + 2];
	char name[32];
	int accepted = 0;

	(void)state;
	open_session(&p);
	assert_false(ask(&p, "env", "tt", "", "x"));
	assert_false(ask(&p, "env", "tt", "A=B", "x"));
	assert_false(ask(&p, "env", "st", span_of("A\0B", 3), "x"));
	assert_false(ask(&p, "env", "ts", "A", span_of("x\0y", 3)));
	memset(large, 'v', sizeof(large) - 1);
	assert_false(ask(&p, "env", "tt", "LARGE", large));
	large[32 * 1024] = '\0';
	while (ask(&p, "env", "tt", "LARGE", large))
		accepted++;
	assert_int_equal(accepted, 7);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "V%d", i);
		accepted += ask(&p, "env", "tt", name, "");
	}
	assert_int_equal(accepted, 256);
	assert_true(ask(&p, "shell", ""));
	assert_int_equal(p.seen.start->env_len, 256);
}

static void a_command_is_as_long_as_one_argument_may_be(void **state)
{
	cleanup(peer_finish) struct peer p;
	cleanup(buf_finish) struct buf b = BUF_INIT(200 * 1024);

	(void)state;
	assert_non_null(buf_reserve(&b, 128 * 1024));
	memset(b.mem, 'c', 128 * 1024);
	open_session(&p);
	assert_false(ask(&p, "exec", "s", span_of(b.mem, 128 * 1024)));
	assert_false(ask(&p, "exec", "s", span_of("a\0b", 3)));
	assert_int_equal(p.seen.starts, 0);
	assert_true(ask(&p, "exec", "s", span_of(b.mem, 128 * 1024 - 1)));
	assert_int_equal(strlen(p.seen.start->command), 128 * 1024 - 1);
}

static void malformed_requests_end_the_connection(void **state)
{
	static const struct {
		const char *name;
		struct span rest;
	} cases[] = {
		{ "pty-req", { (const uint8_t *)"\0\0\0\1x\0\0", 7 } },
		{ "env", { (const uint8_t *)"\0\0\0\1x", 5 } },
		{ "exec", { (const uint8_t *)"\xff\xff\xff\xff", 4 } },
		{ "shell", { (const uint8_t *)"x", 1 } },
		{ "subsystem", { (const uint8_t *)"", 0 } },
		{ "window-change", { (const uint8_t *)"\0\0\0\1", 4 } },
		{ "signal", { (const uint8_t *)"\0\0\0\4TERMx", 9 } },
		{ "break", { (const uint8_t *)"\0", 1 } },
		{ "eow@openssh.com", { (const uint8_t *)"\0", 1 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup(peer_finish) struct peer p;

		open_session(&p);
		peer_put(&p, MSG_CHANNEL_REQUEST, "utbr", 0u, cases[i].name, 1, cases[i].rest);
		assert_true(peer_ended(&p, "malformed request"));
	}
}

static void global_requests_are_answered_when_an_answer_is_wanted(void **state)
{
	static const char *const refused[] = { "keepalive@openssh.com",
					       "hostkeys-prove-00@openssh.com", "anything" };
	cleanup(peer_finish) struct peer p;

	(void)state;
	peer_init(&p, &PEER_DEFAULT);
	peer_skip_to(&p, STATE_OPEN);
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		peer_put(&p, MSG_GLOBAL_REQUEST, "tbr", refused[i], 1, span_of_str("\1\2\3"));
		peer_expect(&p, MSG_REQUEST_FAILURE);
		peer_put(&p, MSG_GLOBAL_REQUEST, "tb", refused[i], 0);
		assert_int_equal(ssh_server_output(p.server).len, 0);
	}
}

static void no_more_sessions_means_it(void **state)
{
	cleanup(peer_finish) struct peer p;
	struct wire r;

	(void)state;
	open_session(&p);
	peer_put(&p, MSG_GLOBAL_REQUEST, "tb", "no-more-sessions@openssh.com", 1);
	peer_expect(&p, MSG_REQUEST_SUCCESS);
	peer_put(&p, MSG_CHANNEL_OPEN, "tuuu", "session", 6u, 100u, 1000u);
	r = peer_expect(&p, MSG_CHANNEL_OPEN_FAILURE);
	wire_u32(&r);
	assert_int_equal(wire_u32(&r), 1);
	/* Forwards are none. */
	peer_put(&p, MSG_CHANNEL_OPEN, "tuuututu", "direct-tcpip", 7u, 100u, 1000u, "h", 1u, "",
		 0u);
	peer_expect(&p, MSG_CHANNEL_OPEN_CONFIRMATION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_is_told_all_that_was_asked_for),
		cmocka_unit_test(shell_and_subsystem_are_starts_too),
		cmocka_unit_test(a_session_starts_once),
		cmocka_unit_test(answers_keep_the_order_of_requests),
		cmocka_unit_test(a_start_without_a_wish_for_an_answer_gets_none),
		cmocka_unit_test(too_many_requests_behind_a_start_end_the_connection),
		cmocka_unit_test(signals_and_eow_reach_a_running_session_only),
		cmocka_unit_test(data_before_and_without_a_process_is_dropped),
		cmocka_unit_test(what_is_not_offered_is_refused_and_harmless),
		cmocka_unit_test(session_requests_mean_nothing_on_a_forward),
		cmocka_unit_test(environment_is_limited_in_names_number_and_size),
		cmocka_unit_test(a_command_is_as_long_as_one_argument_may_be),
		cmocka_unit_test(malformed_requests_end_the_connection),
		cmocka_unit_test(global_requests_are_answered_when_an_answer_is_wanted),
		cmocka_unit_test(no_more_sessions_means_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
