/* SPDX-License-Identifier: MIT */
/* CONNECT to TCP ports and Unix sockets: real sockets, a real loop, a fake stream. */
#include "tests/unit/services_world.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "init/base/fd.h"
#include "init/base/fs.h"
#include "tests/unit/unit.h"

#define MIB (1024 * 1024)

static struct world world;
static char hosts_path[64], node_rule[] = "node7.berth.test:*";
static char *allow[] = { node_rule };

/* The test's end of the connection; accepted by accept_one(). */
static int listener = -1, peer = -1;

static int open_world(void **state)
{
	static const char hosts[] = "127.0.0.1 node7.berth.test\n";

	(void)state;
	snprintf(hosts_path, sizeof(hosts_path), "/tmp/berth-hosts-XXXXXX");
	close(mkstemp(hosts_path));
	assert_int_equal(fs_write_file(hosts_path, span_of_str(hosts), 0600, NULL), 0);
	world_open(&world, &(struct service_config){
				   .allow = allow, .allow_len = 1, .names.hosts = hosts_path });
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	world_close(&world);
	peer = fd_close(peer);
	listener = fd_close(listener);
	unlink(hosts_path);
	return 0;
}

static uint16_t listen_tcp(int family)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct sockaddr_in v4 = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_storage bound;
	socklen_t len = sizeof(bound);

	listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(listener >= 0);
	if (family == AF_INET)
		assert_int_equal(bind(listener, (struct sockaddr *)&v4, sizeof(v4)), 0);
	else if (bind(listener, (struct sockaddr *)&v6, sizeof(v6)) < 0)
		skip(); /* a machine without IPv6 */
	assert_int_equal(listen(listener, 16), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&bound, &len), 0);
	return ntohs(((struct sockaddr_in *)&bound)->sin_port);
}

static struct client *connect_to(const char *format, uint16_t port)
{
	char authority[300];
	struct h3_request request = { .method = "CONNECT", .authority = authority };

	snprintf(authority, sizeof(authority), "%s:%u", format, port);
	return world_request(&world, &request);
}

static void accept_one(void)
{
	peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	assert_true(peer >= 0);
}

static struct client *connected_to(const char *host, uint16_t port)
{
	struct client *c = connect_to(host, port);

	world_wait(&world, all_answered);
	assert_string_equal(buf_str(&c->stream->error), "");
	assert_int_equal(c->stream->status, 200);
	accept_one();
	return c;
}

static char got[64];
static size_t got_len;
static bool got_end;

/* Reads what came to the test's end. */
static bool peer_has_end(struct world *w)
{
	ssize_t n;

	(void)w;
	while ((n = read(peer, got + got_len, sizeof(got) - 1 - got_len)) > 0)
		got_len += (size_t)n;
	got_end = n == 0;
	got[got_len] = '\0';
	return got_end;
}

static void bytes_go_both_ways_and_each_has_an_end(void **state)
{
	struct client *c = connected_to("127.0.0.1", listen_tcp(AF_INET));

	(void)state;
	got_len = 0;
	client_send(c, span_of_str("request"));
	fake_h3_send_end(c->stream);
	world_wait(&world, peer_has_end);
	assert_string_equal(got, "request");
	/* Our end is over; the other still speaks. */
	assert_false(c->stream->ended);
	assert_int_equal(write(peer, "answer", 6), 6);
	peer = fd_close(peer);
	world_wait(&world, all_ended);
	assert_string_equal(buf_str(&c->out), "answer");
	assert_false(c->stream->reset);
	assert_int_equal(c->stream->unconsumed, 0);
}

static void a_server_that_ends_first_may_still_be_spoken_to(void **state)
{
	struct client *c = connected_to("127.0.0.1", listen_tcp(AF_INET));

	(void)state;
	got_len = 0;
	assert_int_equal(shutdown(peer, SHUT_WR), 0);
	world_wait(&world, all_ended);
	client_send(c, span_of_str("last words"));
	fake_h3_send_end(c->stream);
	world_wait(&world, peer_has_end);
	assert_string_equal(got, "last words");
}

/* A stream may be over in the very packet that brings its last bytes. */
static void what_came_with_the_end_of_the_stream_is_delivered(void **state)
{
	struct client *c = connected_to("127.0.0.1", listen_tcp(AF_INET));

	(void)state;
	got_len = 0;
	assert_int_equal(shutdown(peer, SHUT_WR), 0);
	world_wait(&world, all_ended);
	client_send(c, span_of_str("last words"));
	fake_h3_send_end(c->stream);
	client_close(c);
	world_wait(&world, peer_has_end);
	assert_string_equal(got, "last words");
}

static void what_is_sent_before_the_answer_is_not_lost(void **state)
{
	struct client *c = connect_to("127.0.0.1", listen_tcp(AF_INET));

	(void)state;
	got_len = 0;
	client_send(c, span_of_str("early"));
	fake_h3_send_end(c->stream);
	world_wait(&world, all_answered);
	accept_one();
	world_wait(&world, peer_has_end);
	assert_string_equal(got, "early");
}

static void localhost_is_ipv4_or_ipv6(void **state)
{
	(void)state;
	(void)connected_to("localhost", listen_tcp(AF_INET6));
}

static void ipv6_loopback_is_reached(void **state)
{
	(void)state;
	(void)connected_to("[::1]", listen_tcp(AF_INET6));
}

static void a_refused_port_is_a_bad_gateway_with_the_reason(void **state)
{
	uint16_t port = listen_tcp(AF_INET);
	struct client *c;
	char expected[100];

	(void)state;
	listener = fd_close(listener);
	c = connect_to("127.0.0.1", port);
	client_send(c, span_of_str("for nobody"));
	world_wait(&world, all_answered);
	assert_int_equal(c->stream->status, 502);
	snprintf(expected, sizeof(expected), "connect to 127.0.0.1:%u: Connection refused", port);
	assert_string_equal(buf_str(&c->stream->error), expected);
	assert_int_equal(c->stream->unconsumed, 0);
	/* With a name the first address counts, not whether there is IPv6. */
	c = connect_to("localhost", port);
	world_wait(&world, all_answered);
	assert_int_equal(c->stream->status, 502);
	assert_non_null(strstr(buf_str(&c->stream->error), "Connection refused"));
}

static void a_host_that_is_not_allowed_is_refused(void **state)
{
	struct client *c = connect_to("10.1.2.3", 80), *name = connect_to("example.test", 80);
	struct client *broken = connect_to("no port", 0);

	(void)state;
	assert_int_equal(c->stream->status, 403);
	assert_non_null(
		strstr(buf_str(&c->stream->error), "10.1.2.3:80 is not on this job's allow"));
	assert_int_equal(name->stream->status, 403);
	assert_int_equal(broken->stream->status, 400);
}

static void a_name_on_the_allow_list_is_resolved(void **state)
{
	(void)state;
	(void)connected_to("node7.berth.test", listen_tcp(AF_INET));
}

static bool none_is_left(struct world *w)
{
	return w->env.streams == 0;
}

static void a_client_that_goes_away_closes_the_connection(void **state)
{
	struct client *c = connected_to("127.0.0.1", listen_tcp(AF_INET));

	(void)state;
	got_len = 0;
	client_close(c);
	world_wait(&world, peer_has_end);
	world_wait(&world, none_is_left);
}

static void a_client_may_go_away_while_connecting(void **state)
{
	uint16_t port = listen_tcp(AF_INET);

	(void)state;
	client_close(connect_to("127.0.0.1", port));
	client_close(connect_to("localhost", port));
	client_close(connect_to("node7.berth.test", port));
	world_wait(&world, none_is_left);
}

static void a_connection_that_is_reset_resets_the_stream(void **state)
{
	struct linger at_once = { .l_onoff = 1, .l_linger = 0 };
	struct client *c = connected_to("127.0.0.1", listen_tcp(AF_INET));

	(void)state;
	assert_int_equal(setsockopt(peer, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
	peer = fd_close(peer);
	for (int i = 0; i < 1000 && !c->stream->reset; i++)
		world_run(&world, 2);
	assert_true(c->stream->reset);
	assert_false(c->stream->ended);
}

static uint64_t echoed;

/* The test's end sends back what it got, a little a turn. */
static bool echo_is_done(struct world *w)
{
	static uint8_t bytes[200 * 1000];
	static size_t held;
	ssize_t n = write(peer, bytes, held);

	if (n > 0) {
		memmove(bytes, bytes + n, held - (size_t)n);
		held -= (size_t)n;
		echoed += (uint64_t)n;
	}
	n = read(peer, bytes + held, sizeof(bytes) - held);
	if (n > 0)
		held += (size_t)n;
	return w->clients[0].out_len == 16 * MIB;
}

static void bulk_data_is_neither_lost_nor_held(void **state)
{
	size_t len = 16 * MIB;
	uint8_t *bytes = malloc(len);
	struct client *c = connected_to("127.0.0.1", listen_tcp(AF_INET));

	(void)state;
	assert_non_null(bytes);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)(i * 2654435761U >> 13);
	echoed = 0;
	c->send = span_of(bytes, len);
	c->pace = 150 * 1000;
	world_wait(&world, echo_is_done);
	assert_int_equal(echoed, len);
	assert_true(c->out_sum == sum_of(SUM_START, span_of(bytes, len)));
	assert_true(c->stream->send_max <= H3_SEND_MAX);
	assert_int_equal(c->stream->unconsumed, 0);
	free(bytes);
}

static struct client *connect_unix(const char *path)
{
	char text[400];
	struct h3_request request = {
		.method = "CONNECT", .protocol = "berth-unix", .authority = "job", .path = text
	};

	snprintf(text, sizeof(text), "/unix/%s", path);
	return world_request(&world, &request);
}

static void a_unix_socket_is_reached_by_its_path(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char encoded[200];
	struct client *c;

	(void)state;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/tmp/berth %d.sock", (int)getpid());
	snprintf(encoded, sizeof(encoded), "%%2Ftmp%%2Fberth%%20%d.sock", (int)getpid());
	unlink(addr.sun_path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(listener, 1), 0);
	c = connect_unix(encoded);
	world_wait(&world, all_answered);
	assert_int_equal(c->stream->status, 200);
	accept_one();
	assert_int_equal(write(peer, "hello", 5), 5);
	peer = fd_close(peer);
	world_wait(&world, all_ended);
	assert_string_equal(buf_str(&c->out), "hello");
	unlink(addr.sun_path);
}

static void a_unix_socket_that_is_not_there_is_not_found(void **state)
{
	struct client *missing = connect_unix("%2Fnonexistent%2Fsocket");
	struct client *relative = connect_unix("relative"), *none = connect_unix("");

	(void)state;
	world_wait(&world, all_answered);
	assert_int_equal(missing->stream->status, 404);
	assert_string_equal(buf_str(&missing->stream->error),
			    "connect to /nonexistent/socket: No such file or directory");
	assert_int_equal(relative->stream->status, 400);
	assert_int_equal(none->stream->status, 404);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bytes_go_both_ways_and_each_has_an_end),
		TEST(a_server_that_ends_first_may_still_be_spoken_to),
		TEST(what_came_with_the_end_of_the_stream_is_delivered),
		TEST(what_is_sent_before_the_answer_is_not_lost),
		TEST(localhost_is_ipv4_or_ipv6),
		TEST(ipv6_loopback_is_reached),
		TEST(a_refused_port_is_a_bad_gateway_with_the_reason),
		TEST(a_host_that_is_not_allowed_is_refused),
		TEST(a_name_on_the_allow_list_is_resolved),
		TEST(a_client_that_goes_away_closes_the_connection),
		TEST(a_client_may_go_away_while_connecting),
		TEST(a_connection_that_is_reset_resets_the_stream),
		TEST(bulk_data_is_neither_lost_nor_held),
		TEST(a_unix_socket_is_reached_by_its_path),
		TEST(a_unix_socket_that_is_not_there_is_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
