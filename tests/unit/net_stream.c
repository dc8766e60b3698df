/* SPDX-License-Identifier: MIT */
/* Streams over real sockets on loopback, both ends in one loop. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/stream_parties.h"
#include "tunnel/net/addr.h"

#define PROTOCOL "berth-test"
#define BULK (8 * 1024 * 1024)

/* One end: what it was told. */
static struct end {
	struct stream *stream;
	bool is_up, is_over;
	size_t received, sent, turns;
	bool in_order;
	struct err why;
} client, server;
static bool server_wants_websocket;
static struct stream_port *port;
static const struct tls_context *server_tls;
static struct tls_context *tls[3]; /* the server's, the client's, one that expects another key */

static struct end *end_of(void *owner)
{
	return owner;
}

static void on_up(struct stream *stream, void *owner)
{
	(void)stream;
	end_of(owner)->is_up = true;
}

static void on_received(struct stream *stream, void *owner, struct span bytes)
{
	struct end *end = owner;

	(void)stream;
	for (size_t i = 0; i < bytes.len; i++)
		end->in_order = end->in_order && bytes.ptr[i] == parties_byte(end->received + i);
	end->received += bytes.len;
}

static void on_turn(struct stream *stream, void *owner)
{
	(void)stream;
	end_of(owner)->turns++;
}

/* Sends until the stream is blocked or all has left. */
static void pump(struct end *end)
{
	uint8_t bytes[50000];

	while (end->sent < BULK && !stream_is_blocked(end->stream)) {
		size_t len = MIN(sizeof(bytes), BULK - end->sent);
		struct iovec parts[] = { { bytes, len / 3 }, { bytes + len / 3, len - len / 3 } };

		for (size_t i = 0; i < len; i++)
			bytes[i] = parties_byte(end->sent + i);
		assert_true(stream_write(end->stream, parts, 2));
		end->sent += len;
	}
}

static void on_writable(struct stream *stream, void *owner)
{
	assert_false(stream_is_blocked(stream));
	pump(owner);
}

static void on_over(struct stream *stream, void *owner, const struct err *why)
{
	struct end *end = owner;

	assert_false(end->is_over);
	end->is_over = true;
	end->why = *why;
	stream_close(stream);
	end->stream = NULL;
	if (end == &server)
		stream_port_release(port, stream_remote(stream));
}

static void on_request(struct stream *stream, void *owner, const struct http1_head *head)
{
	if (span_equal_str(head->target, "/health"))
		stream_respond(stream, 200, "ok");
	else if (server_wants_websocket && !http1_has_token(head, "upgrade", "websocket"))
		stream_respond(stream, 426, "not so");
	else if (stream_accept(stream, head, PROTOCOL))
		end_of(owner)->is_up = true;
	else
		stream_respond(stream, 400, "what?");
}

static const struct stream_ops ops = {
	.up = on_up,
	.received = on_received,
	.turn = on_turn,
	.writable = on_writable,
	.over = on_over,
	.request = on_request,
};

static void on_accepted(void *owner, int fd, const struct quic_addr *from)
{
	struct stream_accept_config config = { .loop = &parties_loop, .fd = fd, .tls = server_tls };

	(void)owner;
	(void)from;
	server = (struct end){ .in_order = true };
	server.stream = stream_new_accepted(&config, &ops, &server);
}

static struct stream_dial_config to_port(uint16_t number)
{
	return (struct stream_dial_config){ .loop = &parties_loop,
					    .host = "127.0.0.1",
					    .port = number,
					    .path = "/test",
					    .protocol = PROTOCOL };
}

static void dial(const struct stream_dial_config *config)
{
	client = (struct end){ .in_order = true };
	client.stream = stream_dial(config, &ops, &client);
}

static int set_up(void **state)
{
	struct stream_port_config config = { .loop = &parties_loop,
					     .max = 4,
					     .accepted = on_accepted };
	struct err err;

	(void)state;
	parties_open();
	server_tls = NULL;
	server_wants_websocket = false;
	client = server = (struct end){ 0 };
	assert_true(addr_parse_listen("127.0.0.1:0", &config.listen));
	port = stream_port_new(&config, &err);
	return port ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	if (server.stream)
		stream_port_release(port, stream_remote(server.stream));
	stream_close(client.stream);
	stream_close(server.stream);
	stream_port_close(port);
	parties_close();
	return 0;
}

static bool both_up(void)
{
	return client.is_up && server.is_up;
}

static bool client_over(void)
{
	return client.is_over;
}

static bool server_over(void)
{
	return server.is_over;
}

static bool all_arrived(void)
{
	return client.received == BULK && server.received == BULK;
}

static void exchange(void)
{
	parties_until(both_up);
	pump(&client);
	pump(&server);
	assert_true(stream_is_blocked(client.stream));
	assert_true(stream_waiting(client.stream) <= STREAM_QUEUE_MAX);
	parties_until(all_arrived);
	assert_true(client.in_order && server.in_order);
	assert_true(client.turns > 0 && server.turns > 0);
	assert_false(stream_is_blocked(client.stream));
}

static uint16_t our_port(void)
{
	return addr_port(stream_port_local(port));
}

static void bytes_go_both_ways_after_an_upgrade(void **state)
{
	struct stream_dial_config config = to_port(our_port());

	(void)state;
	dial(&config);
	exchange();
}

static void where_the_upgrade_is_refused_they_go_as_a_websocket(void **state)
{
	struct stream_dial_config config = to_port(our_port());

	(void)state;
	server_wants_websocket = true;
	config.websocket = true;
	dial(&config);
	exchange();
}

static void tls_with_the_expected_key_carries_them_too(void **state)
{
	struct stream_dial_config config = to_port(our_port());
	struct secret ours = { 0 }, theirs = { 0 }, other = { 0 };
	struct err err;

	(void)state;
	server_tls = tls[0];
	config.tls = tls[1];
	dial(&config);
	exchange();
	assert_int_equal(stream_export(client.stream, "relay", &ours, &err), 0);
	assert_int_equal(stream_export(server.stream, "relay", &theirs, &err), 0);
	assert_int_equal(stream_export(server.stream, "other", &other, &err), 0);
	assert_true(secret_equal(&ours, &theirs));
	assert_false(secret_equal(&ours, &other));
}

static void a_websocket_in_tls_works(void **state)
{
	struct stream_dial_config config = to_port(our_port());

	(void)state;
	server_tls = tls[0];
	server_wants_websocket = true;
	config.tls = tls[1];
	config.websocket = true;
	dial(&config);
	exchange();
}

static void another_key_is_refused(void **state)
{
	struct stream_dial_config config = to_port(our_port());

	(void)state;
	server_tls = tls[0];
	config.tls = tls[2];
	config.websocket = true;
	dial(&config);
	parties_until(client_over);
	assert_false(client.is_up);
	assert_int_equal(client.why.kind, ERR_DENIED);
	assert_non_null(strstr(client.why.text, "the relay's key is not the expected one"));
	parties_until(server_over);
	assert_false(server.is_up);
}

static void the_end_of_one_is_told_to_the_other(void **state)
{
	struct stream_dial_config config = to_port(our_port());

	(void)state;
	server_tls = tls[0];
	config.tls = tls[1];
	dial(&config);
	parties_until(both_up);
	stream_close(client.stream);
	client.stream = NULL;
	parties_until(server_over);
	assert_non_null(strstr(server.why.text, "closed by the other end"));
}

static void who_asks_for_something_else_is_answered(void **state)
{
	struct stream_dial_config config = to_port(our_port());

	(void)state;
	config.protocol = "something-else";
	dial(&config);
	parties_until(client_over);
	assert_non_null(strstr(client.why.text, "answered 400 Bad Request"));
	assert_non_null(strstr(client.why.text, "does not speak something-else"));
	config.path = "/health";
	dial(&config);
	parties_until(client_over);
	assert_non_null(strstr(client.why.text, "answered 200 OK"));
}

static void what_is_no_http_is_told(void **state)
{
	struct talker talker;
	struct stream_dial_config config;

	(void)state;
	talker_open(&talker, "SSH-2.0-OpenSSH_9.2p1\r\n");
	config = to_port(talker_port(&talker));
	dial(&config);
	parties_until(client_over);
	assert_int_equal(client.why.kind, ERR_PROTOCOL);
	assert_non_null(strstr(client.why.text, "the first line is not HTTP/1.1"));
	talker_close(&talker);
}

static void silence_and_refusal_have_an_end(void **state)
{
	struct talker talker;
	struct stream_dial_config config;

	(void)state;
	talker_open(&talker, NULL);
	config = to_port(talker_port(&talker));
	config.timeout_ns = 50 * NSEC_PER_MSEC;
	dial(&config);
	parties_until(client_over);
	assert_int_equal(client.why.kind, ERR_TIMEOUT);
	assert_non_null(strstr((const char *)buf_str(&talker.heard), "GET /test HTTP/1.1\r\n"));
	talker_close(&talker);
	/* The port is free now, and refuses. */
	dial(&config);
	parties_until(client_over);
	assert_non_null(strstr(client.why.text, "Connection refused"));
}

static void a_guest_that_says_nothing_is_sent_away(void **state)
{
	struct stream_accept_config config = { .loop = &parties_loop,
					       .timeout_ns = 50 * NSEC_PER_MSEC };
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
	config.fd = pair[0];
	client.stream = stream_new_accepted(&config, &ops, &client);
	parties_until(client_over);
	assert_int_equal(client.why.kind, ERR_TIMEOUT);
	close(pair[1]);
}

/* Through a proxy that says what it is told to say. */
static void expect_of_proxy(const char *url, const char *words, const char *expected)
{
	struct stream_dial_config config = to_port(443);
	struct talker talker;
	char proxy[100];

	talker_open(&talker, words);
	snprintf(proxy, sizeof(proxy), "http://%s127.0.0.1:%u", url, talker_port(&talker));
	setenv("https_proxy", proxy, 1);
	config.host = "relay.example.org";
	config.use_proxy = true;
	dial(&config);
	parties_until(client_over);
	assert_non_null(strstr(client.why.text, expected));
	assert_null(strstr(client.why.text, "secret"));
	assert_non_null(
		strstr(buf_str(&talker.heard), "CONNECT relay.example.org:443 HTTP/1.1\r\n"));
	if (url[0])
		assert_non_null(strstr(buf_str(&talker.heard),
				       "Proxy-Authorization: Basic bWU6c2VjcmV0\r\n"));
	talker_close(&talker);
	unsetenv("https_proxy");
}

static void what_a_proxy_wants_is_told_in_words(void **state)
{
	(void)state;
	expect_of_proxy("", "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n",
			"wants a user and a password: put them in https_proxy as "
			"http://USER:PASSWORD@HOST:PORT");
	expect_of_proxy("me:secret@",
			"HTTP/1.0 407 x\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n",
			"refuses the user and the password in https_proxy");
	expect_of_proxy("", "HTTP/1.1 407 x\r\nProxy-Authenticate: NTLM\r\n\r\n",
			"in a way that is not supported");
	expect_of_proxy("", "HTTP/1.1 403 Filtered\r\n\r\n",
			"does not allow a connection to relay.example.org:443: 403 Filtered");
	expect_of_proxy("", "HTTP/1.1 502 Bad Gateway\r\n\r\n",
			"cannot reach relay.example.org:443: 502 Bad Gateway");
	expect_of_proxy("", "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 404 gone\r\n\r\n",
			"answered 404 gone");
}

static void a_program_is_a_stream(void **state)
{
	static const char *const echo[] = { "cat", NULL };
	struct stream_dial_config config = {
		.loop = &parties_loop, .host = "there", .port = 1, .command = echo
	};

	(void)state;
	dial(&config);
	assert_true(client.is_up || !client.is_over);
	pump(&client);
	while (client.received < BULK)
		uv_run(&parties_loop, UV_RUN_ONCE);
	assert_true(client.in_order);
}

static void a_program_that_ends_is_quoted(void **state)
{
	static const char *const fails[] = {
		"sh", "-c", "echo first >&2; printf 'no \\033[31mway\\n' >&2; exit 255", NULL
	};
	static const char *const quiet[] = { "sh", "-c", "exit 3", NULL };
	static const char *const missing[] = { "/nonexistent/program", NULL };
	struct stream_dial_config config = { .loop = &parties_loop,
					     .host = "job",
					     .port = 1,
					     .command = fails,
					     .path = "/",
					     .protocol = PROTOCOL };

	(void)state;
	dial(&config);
	parties_until(client_over);
	assert_string_equal(client.why.text, "job:1 through sh: sh: no ?[31mway");
	config.command = quiet;
	dial(&config);
	parties_until(client_over);
	assert_string_equal(client.why.text, "job:1 through sh: sh ended with status 3");
	config.command = missing;
	dial(&config);
	parties_until(client_over);
	assert_non_null(strstr(client.why.text, "cannot start /nonexistent/program"));
}

static int make_tls(void **state)
{
	cleanup(key_pair_finish) struct key_pair relay = { 0 }, other = { 0 };
	struct err err;

	(void)state;
	if (key_pair_generate(&relay, &err) < 0 || key_pair_generate(&other, &err) < 0)
		return -1;
	tls[0] = tls_context_new_relay(&relay, TLS_ALPN_HTTP1, &err);
	tls[1] = tls_context_new_to_relay(&relay.public, TLS_ALPN_HTTP1, &err);
	tls[2] = tls_context_new_to_relay(&other.public, TLS_ALPN_HTTP1, &err);
	return tls[0] && tls[1] && tls[2] ? 0 : -1;
}

static int free_tls(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tls); i++)
		tls_context_free(tls[i]);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bytes_go_both_ways_after_an_upgrade),
		TEST(where_the_upgrade_is_refused_they_go_as_a_websocket),
		TEST(tls_with_the_expected_key_carries_them_too),
		TEST(a_websocket_in_tls_works),
		TEST(another_key_is_refused),
		TEST(the_end_of_one_is_told_to_the_other),
		TEST(who_asks_for_something_else_is_answered),
		TEST(what_is_no_http_is_told),
		TEST(silence_and_refusal_have_an_end),
		TEST(a_guest_that_says_nothing_is_sent_away),
		TEST(what_a_proxy_wants_is_told_in_words),
		TEST(a_program_is_a_stream),
		TEST(a_program_that_ends_is_quoted),
	};

	return cmocka_run_group_tests(tests, make_tls, free_tls);
}
