/* SPDX-License-Identifier: MIT */
/* The bridge between an SSH server and HTTP/3 streams that are both played by bridge_parties.c. */
#include "tests/unit/unit.h"

#include <string.h>

#include "init/base/alloc.h"
#include "bridge_parties.h"
#include "tunnel/wire/capsule.h"
#include "tunnel/wire/process.h"

static struct ssh_channel channel;
static struct bridge *bridge;
/* The bridge passes it through and nothing more. */
static struct h3_conn *const conn = (void *)&bridge_streams;

/* What the parties do */

static int set_up(void **state)
{
	static const struct key_pair key;

	(void)state;
	channel = (struct ssh_channel){ .room = 1024 * 1024, .status = -1 };
	buf_init(&channel.out, 1024 * 1024);
	buf_init(&channel.err, 1024 * 1024);
	bridge_stream = (struct h3_stream){ .room = BRIDGE_STREAM_ROOM };
	buf_init(&bridge_stream.sent, 1024 * 1024);
	bridge_streams = 0;
	bridge_server_party.channel = &channel;
	bridge = bridge_new(&key);
	return 0;
}

static void close_stream(const struct err *why)
{
	const struct h3_stream_ops *ops = bridge_stream.ops;

	bridge_stream.ops = NULL;
	ops->closed(&bridge_stream, bridge_stream.user, why);
}

static int tear_down(void **state)
{
	(void)state;
	if (bridge_stream.ops)
		close_stream(NULL);
	bridge = bridge_free(bridge);
	buf_finish(&channel.out);
	buf_finish(&channel.err);
	buf_finish(&bridge_stream.sent);
	return 0;
}

static void client_opens(enum ssh_channel_type type, const char *target)
{
	bridge_server_party.config.ops->open(bridge_server_party.config.owner, &channel, type,
					     target);
}

static void client_execs(const char *command)
{
	static struct ssh_start start;

	start = (struct ssh_start){ .kind = SSH_START_EXEC, .command = command };
	bridge_server_party.config.ops->start(bridge_server_party.config.owner, &channel, &start);
}

static void client_sends(const char *text)
{
	bridge_server_party.config.ops->data(bridge_server_party.config.owner, &channel,
					     span_of_str(text));
}

static void client_ends(void)
{
	bridge_server_party.config.ops->eof(bridge_server_party.config.owner, &channel);
}

static void client_reads(size_t len)
{
	channel.room += len;
	bridge_server_party.config.ops->writable(bridge_server_party.config.owner, &channel);
}

static void client_leaves(void)
{
	bridge_server_party.config.ops->closed(bridge_server_party.config.owner, &channel);
	channel.user = NULL;
}

static void job_answers(int status)
{
	bridge_stream.ops->response(&bridge_stream, bridge_stream.user, status);
}

static void job_sends(struct span bytes)
{
	bridge_stream.ops->body(&bridge_stream, bridge_stream.user, bytes);
}

static void job_sends_capsule(uint64_t type, const char *value)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(1024 * 1024);

	assert_true(capsule_append(&b, type, span_of_str(value)));
	job_sends(buf_span(&b));
}

static void job_reads(size_t len)
{
	bool was_starved = bridge_stream.starved;

	bridge_stream.room += len;
	bridge_stream.starved = false;
	if (was_starved)
		bridge_stream.ops->writable(&bridge_stream, bridge_stream.user);
}

static void job_ends(void)
{
	bridge_stream.ops->end(&bridge_stream, bridge_stream.user);
}

/* What the job got: capsules as "type:value " in order. */
static bool is_no_stream(void *user, uint64_t type)
{
	(void)user;
	(void)type;
	return false;
}

static void no_piece(void *user, uint64_t type, struct span bytes)
{
	(void)user;
	(void)type;
	(void)bytes;
}

static int describe(void *user, uint64_t type, struct span value, struct err *err)
{
	struct process_start start;

	if (type != PROCESS_START)
		assert_true(buf_printf(user, "%x:%.*s ", (unsigned int)type, (int)value.len,
				       (const char *)value.ptr));
	else if (process_start_parse(value, &start, err) == 0)
		assert_true(buf_printf(user, "START:%.*s ", (int)start.command.len,
				       (const char *)start.command.ptr));
	return 0;
}

static void assert_job_got(const char *expected)
{
	static const struct capsule_ops ops = { is_no_stream, no_piece, describe };
	cleanup(buf_finish) struct buf text = BUF_INIT(64 * 1024);
	struct capsule_reader reader;
	struct err err;

	capsule_reader_init(&reader, &ops, &text, 64 * 1024);
	assert_int_equal(capsule_reader_feed(&reader, buf_span(&bridge_stream.sent), &err), 0);
	capsule_reader_finish(&reader);
	assert_string_equal(buf_str(&text), expected);
}

static void open_session(const char *command)
{
	bridge_connect(bridge, conn);
	client_opens(SSH_CHANNEL_SESSION, NULL);
	client_execs(command);
	job_answers(200);
}

/* The tests */

static void what_is_asked_before_there_is_a_connection_travels_with_the_request(void **state)
{
	(void)state;
	client_opens(SSH_CHANNEL_SESSION, NULL);
	assert_true(channel.accepted);
	client_execs("cat");
	client_sends("hello");
	client_ends();
	assert_int_equal(bridge_streams, 0);
	assert_int_equal(channel.consumed, 0);
	bridge_connect(bridge, conn);
	assert_string_equal(bridge_stream.protocol, "berth-process");
	assert_string_equal(bridge_stream.path, "/process");
	assert_job_got("START:cat 2b02:hello 2b03: ");
	assert_int_equal(channel.consumed, 5);
	assert_false(channel.started);
	job_answers(200);
	assert_true(channel.started_ok);
}

static void output_and_exit_status_reach_the_client_before_the_end(void **state)
{
	(void)state;
	open_session("x");
	job_sends_capsule(PROCESS_STDOUT, "out");
	job_sends_capsule(PROCESS_STDERR, "err");
	job_sends_capsule(PROCESS_EXIT, "\x07");
	assert_string_equal(buf_str(&channel.out), "out");
	assert_string_equal(buf_str(&channel.err), "err");
	assert_int_equal(channel.status, 7);
	assert_false(channel.eof);
	job_ends();
	assert_true(channel.eof && channel.closed);
	bridge_tidy(bridge);
	assert_true(bridge_stream.ended);
	assert_false(bridge_stream.reset);
}

static void a_signal_that_ended_the_command_is_told(void **state)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(64);
	const struct process_exit end = { .signalled = true, .signal = span_of_str("KILL") };

	(void)state;
	open_session("x");
	assert_true(process_exit_format(&end, &b));
	job_sends(buf_span(&b));
	job_ends();
	assert_string_equal(channel.signal, "KILL");
	assert_int_equal(channel.status, -1);
}

static void a_client_that_does_not_read_stops_the_credit_of_the_job(void **state)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(64 * 1024);
	static char text[10001];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	channel.room = 100;
	open_session("x");
	assert_true(capsule_append(&b, PROCESS_STDOUT, span_of_str(text)));
	job_sends(buf_span(&b));
	job_sends_capsule(PROCESS_EXIT, "\x05");
	job_ends();
	assert_true(buf_len(&channel.out) <= 100);
	assert_true(bridge_stream.consumed <= 110);
	assert_false(channel.eof);
	for (int i = 0; i < 200 && !channel.closed; i++)
		client_reads(100);
	assert_int_equal(buf_len(&channel.out), 10000);
	assert_int_equal(channel.status, 5);
	assert_true(channel.closed);
}

static void a_job_that_does_not_read_keeps_the_window_of_the_client_shut(void **state)
{
	(void)state;
	bridge_stream.room = 200;
	open_session("x");
	buf_clear(&bridge_stream.sent);
	bridge_stream.room = 8;
	client_sends("0123456789");
	assert_int_equal(channel.consumed, 0);
	job_reads(0);
	assert_int_equal(buf_len(&bridge_stream.sent), 8);
	job_reads(100);
	assert_int_equal(channel.consumed, 10);
	assert_job_got("2b02:0123456789 ");
	client_sends("more");
	assert_int_equal(channel.consumed, 14);
}

static void windows_and_signals_follow_the_input(void **state)
{
	static const struct ssh_pty size = {
		.columns = 1, .rows = 2, .width_px = 3, .height_px = 4
	};

	(void)state;
	open_session("x");
	client_sends("a");
	bridge_server_party.config.ops->window_change(bridge_server_party.config.owner, &channel,
						      &size);
	bridge_server_party.config.ops->signal(bridge_server_party.config.owner, &channel, "TERM");
	bridge_server_party.config.ops->output_unwanted(bridge_server_party.config.owner, &channel);
	assert_job_got("START:x 2b02:a 2b04:\x01\x02\x03\x04 2b05:TERM 2b06: ");
}

static void a_refused_session_ends_with_the_words_of_the_job(void **state)
{
	(void)state;
	bridge_connect(bridge, conn);
	client_opens(SSH_CHANNEL_SESSION, NULL);
	client_execs("x");
	job_answers(503);
	job_sends(span_of_str("too many streams"));
	job_ends();
	assert_true(channel.started_ok);
	assert_string_equal(buf_str(&channel.err), "berth: too many streams\r\n");
	assert_int_equal(channel.status, 69);
	assert_true(channel.closed);
	bridge_tidy(bridge);
	client_sends("late");
}

static void a_refused_forward_is_refused_with_the_words_of_the_job(void **state)
{
	(void)state;
	bridge_connect(bridge, conn);
	client_opens(SSH_CHANNEL_TCP, "db:5432");
	assert_string_equal(bridge_stream.method, "CONNECT");
	assert_string_equal(bridge_stream.authority, "db:5432");
	assert_string_equal(bridge_stream.path, "");
	job_answers(403);
	job_sends(span_of_str("db:5432 is not allowed"));
	job_ends();
	assert_true(channel.refused);
	assert_false(channel.accepted);
	assert_int_equal(channel.refusal_kind, ERR_DENIED);
	assert_string_equal(channel.refusal, "db:5432 is not allowed");
}

static void each_direction_of_a_forward_ends_by_itself(void **state)
{
	(void)state;
	bridge_connect(bridge, conn);
	client_opens(SSH_CHANNEL_TCP, "localhost:80");
	assert_false(channel.accepted);
	job_answers(200);
	assert_true(channel.accepted);
	client_sends("GET");
	client_ends();
	assert_true(bridge_stream.ended);
	assert_false(channel.closed);
	job_sends(span_of_str("page"));
	job_ends();
	assert_string_equal(buf_str(&channel.out), "page");
	assert_true(channel.eof && channel.closed);
	close_stream(NULL);
}

static void a_job_may_end_its_direction_first(void **state)
{
	(void)state;
	bridge_connect(bridge, conn);
	client_opens(SSH_CHANNEL_TCP, "localhost:80");
	job_answers(200);
	job_ends();
	assert_true(channel.eof);
	assert_false(channel.closed);
	client_sends("more");
	assert_string_equal(buf_str(&bridge_stream.sent), "more");
	client_ends();
	assert_true(bridge_stream.ended && channel.closed);
}

static void the_path_of_a_socket_is_escaped(void **state)
{
	(void)state;
	bridge_connect(bridge, conn);
	client_opens(SSH_CHANNEL_UNIX, "/run/a b%.sock");
	assert_string_equal(bridge_stream.protocol, "berth-unix");
	assert_string_equal(bridge_stream.path, "/unix/%2Frun%2Fa%20b%25.sock");
}

static void a_client_that_leaves_takes_the_process_along(void **state)
{
	(void)state;
	open_session("sleep 100");
	client_leaves();
	bridge_tidy(bridge);
	assert_true(bridge_stream.reset);
	close_stream(NULL);
	assert_int_equal(bridge_channels(bridge), 0);
}

static void what_a_client_said_last_is_delivered_after_it_has_left(void **state)
{
	(void)state;
	bridge_connect(bridge, conn);
	client_opens(SSH_CHANNEL_TCP, "localhost:80");
	job_answers(200);
	job_ends();
	bridge_stream.room = 4;
	client_sends("last words");
	client_ends();
	client_leaves();
	bridge_tidy(bridge);
	assert_false(bridge_stream.reset || bridge_stream.ended);
	job_reads(100);
	assert_string_equal(buf_str(&bridge_stream.sent), "last words");
	assert_true(bridge_stream.ended);
	close_stream(NULL);
	assert_int_equal(bridge_channels(bridge), 0);
}

static void a_job_does_not_talk_for_ever_to_a_client_that_has_left(void **state)
{
	static uint8_t block[65536];
	size_t sent = 0;

	(void)state;
	bridge_connect(bridge, conn);
	client_opens(SSH_CHANNEL_TCP, "localhost:80");
	job_answers(200);
	channel.room = 0;
	job_sends(span_of(block, 1000));
	client_ends();
	client_leaves();
	bridge_tidy(bridge);
	assert_true(bridge_stream.ended && !bridge_stream.reset);
	assert_int_equal(bridge_stream.consumed, 1000);
	for (; !bridge_stream.reset && sent < 64u << 20; sent += sizeof(block)) {
		job_sends(span_of(block, sizeof(block)));
		bridge_tidy(bridge);
	}
	assert_true(bridge_stream.reset);
}

static void a_broken_stream_ends_its_channel_and_nothing_else(void **state)
{
	(void)state;
	open_session("x");
	close_stream(&(struct err){ ERR_PROTOCOL, 0, "reset by peer" });
	assert_false(channel.closed);
	bridge_tidy(bridge);
	assert_true(channel.closed);
	assert_int_equal(channel.status, 255);
	assert_non_null(strstr(buf_str(&channel.err), "reset by peer"));
	client_leaves();
	assert_int_equal(bridge_channels(bridge), 0);
}

static void when_the_connection_ends_the_channels_are_left_to_the_disconnect(void **state)
{
	(void)state;
	open_session("x");
	close_stream(&(struct err){ ERR_UNAVAILABLE, 0, "gone" });
	bridge_disconnect(bridge);
	assert_false(channel.closed);
	assert_int_equal(channel.status, -1);
}

static void nonsense_from_the_job_ends_the_session(void **state)
{
	(void)state;
	open_session("x");
	job_sends_capsule(PROCESS_EXIT, "\x07trailing");
	bridge_tidy(bridge);
	assert_true(channel.closed && bridge_stream.reset);
	assert_int_equal(channel.status, 255);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_asked_before_there_is_a_connection_travels_with_the_request),
		TEST(output_and_exit_status_reach_the_client_before_the_end),
		TEST(a_signal_that_ended_the_command_is_told),
		TEST(a_client_that_does_not_read_stops_the_credit_of_the_job),
		TEST(a_job_that_does_not_read_keeps_the_window_of_the_client_shut),
		TEST(windows_and_signals_follow_the_input),
		TEST(a_refused_session_ends_with_the_words_of_the_job),
		TEST(a_refused_forward_is_refused_with_the_words_of_the_job),
		TEST(each_direction_of_a_forward_ends_by_itself),
		TEST(a_job_may_end_its_direction_first),
		TEST(the_path_of_a_socket_is_escaped),
		TEST(a_client_that_leaves_takes_the_process_along),
		TEST(what_a_client_said_last_is_delivered_after_it_has_left),
		TEST(a_job_does_not_talk_for_ever_to_a_client_that_has_left),
		TEST(a_broken_stream_ends_its_channel_and_nothing_else),
		TEST(when_the_connection_ends_the_channels_are_left_to_the_disconnect),
		TEST(nonsense_from_the_job_ends_the_session),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
