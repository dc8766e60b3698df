/* SPDX-License-Identifier: MIT */
/* What the job listens on, between an SSH server and HTTP/3 streams of bridge_parties.c. */
#include "tests/unit/unit.h"

#include <string.h>

#include "bridge_parties.h"
#include "tunnel/wire/capsule.h"
#include "tunnel/wire/listen.h"
#include "tunnel/wire/process.h"

static struct ssh_channel channel;
static struct ssh_listener listener;
static struct h3_stream other;
static struct bridge *bridge;
/* The bridge passes it through and nothing more. */
static struct h3_conn *const conn = (void *)&bridge_streams;

static void stream_init(struct h3_stream *stream)
{
	*stream = (struct h3_stream){ .room = BRIDGE_STREAM_ROOM };
	buf_init(&stream->sent, 1024 * 1024);
}

static int set_up(void **state)
{
	static const struct key_pair key;

	(void)state;
	channel = (struct ssh_channel){ .room = 1024 * 1024, .status = -1 };
	buf_init(&channel.out, 1024 * 1024);
	buf_init(&channel.err, 1024 * 1024);
	listener = (struct ssh_listener){ .next = &channel };
	stream_init(&bridge_stream);
	stream_init(&other);
	bridge_next = &bridge_stream;
	bridge_streams = 0;
	bridge_server_party.channel = &channel;
	bridge_server_party.listener = &listener;
	bridge = bridge_new(&key);
	return 0;
}

static void close_stream(struct h3_stream *stream, const struct err *why)
{
	const struct h3_stream_ops *ops = stream->ops;

	stream->ops = NULL;
	if (ops)
		ops->closed(stream, stream->user, why);
}

static int tear_down(void **state)
{
	(void)state;
	close_stream(&bridge_stream, NULL);
	close_stream(&other, NULL);
	bridge = bridge_free(bridge);
	buf_finish(&channel.out);
	buf_finish(&channel.err);
	buf_finish(&bridge_stream.sent);
	buf_finish(&other.sent);
	return 0;
}

static const struct ssh_server_ops *ops(void)
{
	return bridge_server_party.config.ops;
}

static void client_wants(enum ssh_listener_type type, const char *address, uint16_t port)
{
	ops()->listen(bridge, &listener, type, address, port);
}

static void client_execs(bool wants_agent)
{
	static struct ssh_start start;

	start = (struct ssh_start){ .kind = SSH_START_EXEC,
				    .command = "x",
				    .wants_agent = wants_agent };
	ops()->open(bridge, &channel, SSH_CHANNEL_SESSION, NULL);
	ops()->start(bridge, &channel, &start);
}

static void job_answers(struct h3_stream *stream, int status)
{
	stream->ops->response(stream, stream->user, status);
}

static void job_sends(struct h3_stream *stream, struct span bytes)
{
	stream->ops->body(stream, stream->user, bytes);
}

static void job_ends(struct h3_stream *stream)
{
	stream->ops->end(stream, stream->user);
}

static void job_listens(const char *address, uint16_t port)
{
	const struct listen_address at = { span_of_str(address), port };
	cleanup(buf_finish) struct buf b = BUF_INIT(600);

	assert_true(listen_listening_format(&at, &b));
	job_answers(&bridge_stream, 200);
	job_sends(&bridge_stream, buf_span(&b));
}

static void job_accepts(uint64_t id)
{
	const struct listen_address from = { span_of_str("127.0.0.1"), 40000 };
	cleanup(buf_finish) struct buf b = BUF_INIT(600);

	assert_true(listen_accepted_format(id, &from, &b));
	bridge_next = &other;
	job_sends(&bridge_stream, buf_span(&b));
}

static void client_opens(bool ok)
{
	ops()->opened(bridge, &channel, ok);
	if (!ok)
		channel.user = NULL;
}

/* The job was asked to listen there, and nothing else. */
static void assert_asked(enum listen_kind kind, const char *address, uint16_t port)
{
	const struct listen_start start = { kind, span_of_str(address), port };
	cleanup(buf_finish) struct buf b = BUF_INIT(600);

	assert_true(listen_start_format(&start, &b));
	assert_string_equal(bridge_stream.protocol, "berth-listen");
	assert_string_equal(bridge_stream.path, "/listen");
	assert_true(span_equal(buf_span(&bridge_stream.sent), buf_span(&b)));
}

static void start_listening(void)
{
	bridge_connect(bridge, conn);
	client_wants(SSH_LISTENER_TCP, "localhost", 0);
	job_listens("localhost", 4000);
}

static void the_job_is_asked_to_listen_as_soon_as_there_is_a_connection(void **state)
{
	(void)state;
	client_wants(SSH_LISTENER_TCP, "localhost", 0);
	assert_int_equal(bridge_streams, 0);
	bridge_connect(bridge, conn);
	assert_asked(LISTEN_TCP, "localhost", 0);
	assert_false(listener.answered);
	job_listens("localhost", 4000);
	assert_true(listener.ok);
	assert_int_equal(listener.port, 4000);
}

static void paths_and_the_agent_are_kinds_of_their_own(void **state)
{
	(void)state;
	bridge_connect(bridge, conn);
	client_wants(SSH_LISTENER_UNIX, "/tmp/s", 0);
	assert_asked(LISTEN_UNIX, "/tmp/s", 0);
	close_stream(&bridge_stream, NULL);
	assert_true(listener.answered && !listener.ok);
	listener.answered = false;
	buf_clear(&bridge_stream.sent);
	client_wants(SSH_LISTENER_AGENT, "", 0);
	assert_asked(LISTEN_PRIVATE, "", 0);
}

static void a_connection_is_fetched_once_the_client_opened_a_channel(void **state)
{
	(void)state;
	start_listening();
	job_accepts(77);
	assert_string_equal(listener.originator, "127.0.0.1:40000");
	assert_int_equal(bridge_streams, 1);
	client_opens(true);
	assert_string_equal(other.protocol, "berth-accept");
	assert_string_equal(other.path, "/accept/77");
	/* The client may speak before the job has answered. */
	ops()->data(bridge, &channel, span_of_str("early"));
	assert_string_equal(buf_str(&other.sent), "early");
	job_answers(&other, 200);
	assert_false(channel.accepted || channel.closed);
	job_sends(&other, span_of_str("hello"));
	assert_string_equal(buf_str(&channel.out), "hello");
	job_ends(&other);
	assert_true(channel.eof);
	assert_false(channel.closed);
	ops()->data(bridge, &channel, span_of_str(" late"));
	ops()->eof(bridge, &channel);
	assert_true(channel.closed && other.ended);
	assert_string_equal(buf_str(&other.sent), "early late");
}

static void a_connection_that_the_client_refuses_is_refused_in_the_job(void **state)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(64);

	(void)state;
	start_listening();
	buf_clear(&bridge_stream.sent);
	job_accepts(77);
	client_opens(false);
	assert_int_equal(bridge_streams, 1);
	assert_int_equal(bridge_channels(bridge), 0);
	assert_true(listen_refuse_format(77, &b));
	assert_true(span_equal(buf_span(&bridge_stream.sent), buf_span(&b)));
	/* So is one for which there are no more channels. */
	listener.next = NULL;
	buf_clear(&bridge_stream.sent);
	job_accepts(77);
	assert_true(span_equal(buf_span(&bridge_stream.sent), buf_span(&b)));
}

static void a_connection_that_is_gone_closes_the_channel(void **state)
{
	(void)state;
	start_listening();
	job_accepts(5);
	client_opens(true);
	job_answers(&other, 404);
	job_sends(&other, span_of_str("no such connection waits"));
	job_ends(&other);
	assert_true(channel.closed);
	assert_false(channel.refused);
}

static void a_listener_that_the_job_refuses_is_answered(void **state)
{
	(void)state;
	bridge_connect(bridge, conn);
	client_wants(SSH_LISTENER_TCP, "0.0.0.0", 80);
	job_answers(&bridge_stream, 403);
	job_sends(&bridge_stream, span_of_str("not on the allow list"));
	assert_false(listener.answered);
	job_ends(&bridge_stream);
	assert_true(listener.answered && !listener.ok);
	assert_true(bridge_stream.ended);
}

static void a_request_that_cannot_be_made_is_answered(void **state)
{
	(void)state;
	bridge_connect(bridge, conn);
	bridge_next = NULL;
	client_wants(SSH_LISTENER_TCP, "localhost", 80);
	assert_true(listener.answered && !listener.ok);
}

static void a_cancel_ends_the_stream_and_leaves_connections_alone(void **state)
{
	(void)state;
	start_listening();
	job_accepts(1);
	client_opens(true);
	job_answers(&other, 200);
	ops()->unlisten(bridge, &listener);
	listener.user = NULL;
	assert_true(bridge_stream.ended);
	/* What the job announced meanwhile is not opened any more. */
	listener.ok = false;
	job_accepts(2);
	close_stream(&bridge_stream, NULL);
	job_sends(&other, span_of_str("still"));
	assert_string_equal(buf_str(&channel.out), "still");
}

static void a_client_that_refuses_after_the_listener_is_gone_tells_nobody(void **state)
{
	(void)state;
	start_listening();
	buf_clear(&bridge_stream.sent);
	job_accepts(1);
	ops()->unlisten(bridge, &listener);
	listener.user = NULL;
	client_opens(false);
	assert_int_equal(buf_len(&bridge_stream.sent), 0);
	assert_int_equal(bridge_channels(bridge), 0);
}

static void a_session_waits_until_it_knows_where_the_agent_is(void **state)
{
	struct process_start start;
	struct span sent;

	(void)state;
	bridge_connect(bridge, conn);
	client_wants(SSH_LISTENER_AGENT, "", 0);
	bridge_next = &other;
	client_execs(true);
	ops()->data(bridge, &channel, span_of_str("typed ahead"));
	assert_int_equal(bridge_streams, 1);
	job_listens("/tmp/agent", 0);
	assert_int_equal(bridge_streams, 2);
	sent = buf_span(&other.sent);
	/* START, whose head has four bytes, and STDIN behind it. */
	assert_true(sent.len > 4 + 3 + 11);
	sent = span_of(sent.ptr + 3, sent.len - 3 - 3 - 11);
	assert_int_equal(process_start_parse(sent, &start, NULL), 0);
	assert_int_equal(start.env_len, 1);
	assert_true(span_equal_str(start.env[0].name, "SSH_AUTH_SOCK"));
	assert_true(span_equal_str(start.env[0].value, "/tmp/agent"));
}

static void a_session_goes_on_without_an_agent_if_there_is_none(void **state)
{
	(void)state;
	bridge_connect(bridge, conn);
	client_wants(SSH_LISTENER_AGENT, "", 0);
	bridge_next = &other;
	client_execs(true);
	job_answers(&bridge_stream, 503);
	job_ends(&bridge_stream);
	assert_int_equal(bridge_streams, 2);
	assert_null(strstr(buf_str(&other.sent), "SSH_AUTH_SOCK"));
}

static void a_session_that_wants_no_agent_does_not_wait(void **state)
{
	(void)state;
	bridge_connect(bridge, conn);
	client_wants(SSH_LISTENER_AGENT, "", 0);
	bridge_next = &other;
	client_execs(false);
	assert_int_equal(bridge_streams, 2);
}

static void a_job_that_breaks_the_rules_is_not_listened_to(void **state)
{
	const struct listen_address from = { span_of_str("::1"), 1 };
	cleanup(buf_finish) struct buf b = BUF_INIT(600);

	(void)state;
	bridge_connect(bridge, conn);
	client_wants(SSH_LISTENER_TCP, "localhost", 0);
	assert_true(listen_accepted_format(1, &from, &b));
	job_answers(&bridge_stream, 200);
	job_sends(&bridge_stream, buf_span(&b));
	assert_true(listener.answered && !listener.ok && bridge_stream.ended);
	job_sends(&bridge_stream, buf_span(&b));
}

static void the_end_of_the_connection_ends_all_of_it(void **state)
{
	const struct err why = { ERR_UNAVAILABLE, 0, "gone" };

	(void)state;
	start_listening();
	job_accepts(1);
	close_stream(&bridge_stream, &why);
	bridge_disconnect(bridge);
	client_opens(true);
	assert_int_equal(bridge_streams, 1);
}

#define BRIDGED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BRIDGED(the_job_is_asked_to_listen_as_soon_as_there_is_a_connection),
		BRIDGED(paths_and_the_agent_are_kinds_of_their_own),
		BRIDGED(a_connection_is_fetched_once_the_client_opened_a_channel),
		BRIDGED(a_connection_that_the_client_refuses_is_refused_in_the_job),
		BRIDGED(a_connection_that_is_gone_closes_the_channel),
		BRIDGED(a_listener_that_the_job_refuses_is_answered),
		BRIDGED(a_request_that_cannot_be_made_is_answered),
		BRIDGED(a_cancel_ends_the_stream_and_leaves_connections_alone),
		BRIDGED(a_client_that_refuses_after_the_listener_is_gone_tells_nobody),
		BRIDGED(a_session_waits_until_it_knows_where_the_agent_is),
		BRIDGED(a_session_goes_on_without_an_agent_if_there_is_none),
		BRIDGED(a_session_that_wants_no_agent_does_not_wait),
		BRIDGED(a_job_that_breaks_the_rules_is_not_listened_to),
		BRIDGED(the_end_of_the_connection_ends_all_of_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
