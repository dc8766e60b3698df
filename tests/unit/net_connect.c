/* SPDX-License-Identifier: MIT */
/* Both ends of the tunnel in one program, over real sockets on loopback. */
#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "tunnel/net/attempt.h"
#include "tunnel/net/client.h"
#include "tunnel/net/order.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/endpoint.h"
#include "tunnel/net/server.h"
#include "tunnel/net/timer.h"

#define LEN (4 * 1024 * 1024)
#define RESET_KEY ((struct secret){ .bytes = { 9 } })

static uv_loop_t loop;
static struct timer watchdog;
static struct key_pair job_key, client_key, other_key;
static char dir[] = "/tmp/berth-connect-XXXXXX";
static char *endpoint_path;

static struct {
	struct hub *hub;
	struct server *server;
	struct tls_context *server_tls, *client_tls;
	struct h3_conn *conn;
	struct h3_stream *stream;
	size_t sent, received;
	size_t stop_at; /* received */
	struct err why;
	bool closed, server_closed;
	const struct attempt *over;
	size_t connections; /* of server_config */
} world;

static void give_up(struct timer *timer, void *owner)
{
	(void)timer;
	(void)owner;
	fail_msg("nothing happened for twenty seconds");
}

/* The server answers with what it gets. */

static void echo_body(struct h3_stream *stream, void *user, struct span bytes)
{
	(void)user;
	assert_true(h3_stream_write(stream, bytes));
	h3_stream_consumed(stream, bytes.len);
}

static void echo_end(struct h3_stream *stream, void *user)
{
	(void)user;
	h3_stream_end(stream);
}

static const struct h3_stream_ops echo_ops = { .body = echo_body, .end = echo_end };

static void on_request(void *owner, struct h3_stream *stream, const struct h3_request *request)
{
	(void)owner;
	(void)request;
	h3_stream_set_ops(stream, &echo_ops, NULL);
	h3_stream_respond(stream, 200);
}

static const struct server_ops server_ops = { on_request };

/* The client sends LEN bytes, never more than 64 KiB ahead of the echo. */

static void send_more(void)
{
	static const uint8_t block[16 * 1024];

	while (world.sent < LEN && world.sent - world.received < 4 * sizeof(block)) {
		if (!h3_stream_write(world.stream, span_of(block, sizeof(block))))
			return;
		world.sent += sizeof(block);
	}
}

static void on_body(struct h3_stream *stream, void *user, struct span bytes)
{
	(void)user;
	world.received += bytes.len;
	h3_stream_consumed(stream, bytes.len);
	send_more();
	if (world.received >= world.stop_at)
		uv_stop(&loop);
}

static const struct h3_stream_ops stream_ops = { .body = on_body };

static void on_connected(void *owner, struct h3_conn *conn)
{
	struct h3_request request = { .method = "CONNECT", .authority = "echo:7" };

	(void)owner;
	world.conn = conn;
	assert_int_equal(h3_conn_request(conn, &request, &stream_ops, NULL, &world.stream, NULL),
			 0);
	send_more();
}

static void on_closed(void *owner, const struct err *why)
{
	(void)owner;
	world.closed = true;
	world.why = *why;
	uv_stop(&loop);
}

static const struct client_ops client_ops = { on_connected, on_closed };

static void on_attempt_ready(struct attempt *attempt, void *owner)
{
	on_connected(owner, attempt_h3(attempt));
}

static void on_attempt_over(struct attempt *attempt, void *owner, const struct err *why)
{
	world.over = attempt;
	on_closed(owner, why);
}

static const struct attempt_ops attempt_ops = { on_attempt_ready, on_attempt_over };

/* Setting up */

static int make_keys(void **state)
{
	(void)state;
	endpoint_path = NULL;
	if (!mkdtemp(dir) || key_pair_generate(&job_key, NULL) < 0 ||
	    key_pair_generate(&client_key, NULL) < 0 || key_pair_generate(&other_key, NULL) < 0)
		return -1;
	endpoint_path = fs_join(dir, "endpoint.0.json");
	return 0;
}

static int remove_keys(void **state)
{
	(void)state;
	free(endpoint_path);
	return fs_remove_tree(dir, NULL);
}

static int set_up(void **state)
{
	(void)state;
	memset(&world, 0, sizeof(world));
	world.stop_at = LEN;
	unlink(endpoint_path);
	uv_loop_init(&loop);
	if (timer_open(&watchdog, &loop, give_up, NULL, NULL) < 0)
		return -1;
	timer_set(&watchdog, clock_now() + 20 * NSEC_PER_SEC);
	world.server_tls = tls_context_new(TLS_SERVER, &job_key, &client_key.public, NULL);
	world.client_tls = tls_context_new(TLS_CLIENT, &client_key, &job_key.public, NULL);
	return world.server_tls && world.client_tls ? 0 : -1;
}

static void on_server_closed(void *owner)
{
	(void)owner;
	world.server_closed = true;
	hub_close(world.hub, NULL, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	if (world.server)
		server_close(world.server, NULL, on_server_closed);
	timer_close(&watchdog, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	tls_context_free(world.server_tls);
	tls_context_free(world.client_tls);
	return uv_loop_close(&loop);
}

static struct quic_addr serve(void)
{
	struct server_config config = {
		.loop = &loop,
		.tls = world.server_tls,
		.reset_key = &RESET_KEY,
		.settings = QUIC_SETTINGS_DEFAULT,
		.connections = world.connections,
		.silent_ns = 1,
		.ops = &server_ops,
	};
	struct hub_config hub = { .loop = &loop };
	struct err err;

	assert_true(addr_parse_listen("127.0.0.1:0", &hub.listen));
	world.hub = hub_new(&hub, &err);
	assert_non_null(world.hub);
	config.hub = world.hub;
	world.server = server_new(&config, &err);
	assert_non_null(world.server);
	return *hub_local(world.hub);
}

static void write_endpoint(const struct quic_addr *addrs, size_t len)
{
	struct endpoint endpoint = { .host = "elsewhere", .started = clock_wall() };

	for (size_t i = 0; i < len; i++)
		assert_true(addr_list_add(&endpoint.addresses, &addrs[i]));
	assert_int_equal(endpoint_write(endpoint_path, &endpoint, NULL), 0);
}

static struct client *dial(void)
{
	const struct client_config config = {
		.loop = &loop,
		.name = "job-7",
		.endpoint = endpoint_path,
		.tls = world.client_tls,
		.ops = &client_ops,
	};

	return client_new(&config);
}

/* The tests */

/* One attempt over a socket of its own. */
static struct attempt *attempt_to(const struct quic_addr *remote, const struct tls_context *tls)
{
	const struct attempt_config config = {
		.loop = &loop,
		.tls = tls,
		.settings = QUIC_SETTINGS_DEFAULT,
		.path = path_udp_new(&loop, remote, NULL),
		.ops = &attempt_ops,
	};
	struct attempt *attempt;

	assert_non_null(config.path);
	attempt = attempt_new(&config, NULL);
	assert_non_null(attempt);
	return attempt;
}

static void what_is_sent_comes_back(void **state)
{
	struct quic_addr addr = serve();
	struct client *client;

	(void)state;
	write_endpoint(&addr, 1);
	client = dial();
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_false(world.closed);
	assert_int_equal(world.received, LEN);
	client_close(client);
}

static void a_connection_moves_to_a_fresh_path_in_the_middle_of_a_transfer(void **state)
{
	struct quic_addr remote = serve();
	struct attempt *attempt = attempt_to(&remote, world.client_tls);
	struct err err = { 0 };

	(void)state;
	for (int move = 1; move <= 3; move++) {
		world.stop_at = (size_t)move * LEN / 4;
		uv_run(&loop, UV_RUN_DEFAULT);
		if (attempt_migrate(attempt, &err) < 0)
			fail_msg("%s", err.text);
	}
	world.stop_at = LEN;
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_false(world.closed);
	assert_int_equal(world.received, LEN);
	attempt_close(attempt);
}

static void a_path_is_tried_beside_the_one_in_use_and_taken_once_it_answers(void **state)
{
	struct quic_addr remote = serve(), nobody = remote;
	struct attempt *attempt = attempt_to(&remote, world.client_tls);
	const struct path *first = attempt_path(attempt);
	struct path *better;
	struct err err = { 0 };

	(void)state;
	world.stop_at = LEN / 4;
	uv_run(&loop, UV_RUN_DEFAULT);
	addr_set_port(&nobody, 1);
	assert_int_equal(attempt_try(attempt, path_udp_new(&loop, &nobody, NULL), &err), 0);
	world.stop_at = LEN / 2;
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_ptr_equal(attempt_path(attempt), first);
	better = path_udp_new(&loop, &remote, NULL);
	assert_int_equal(attempt_try(attempt, better, &err), 0);
	world.stop_at = 3 * LEN / 4;
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_ptr_equal(attempt_path(attempt), better);
	assert_false(attempt_is_trying(attempt));
	assert_int_equal(attempt_move(attempt, path_udp_new(&loop, &remote, NULL), &err), 0);
	world.stop_at = LEN;
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_false(world.closed);
	assert_int_equal(world.received, LEN);
	attempt_close(attempt);
}

static void where_there_are_many_the_most_silent_one_ends(void **state)
{
	struct quic_addr remote;
	struct attempt *attempts[3] = { NULL };

	(void)state;
	world.connections = 3;
	remote = serve();
	for (size_t i = 0; i < ARRAY_LEN(attempts) && !world.closed; i++) {
		world.sent = 0;
		world.received = 0;
		world.stop_at = LEN;
		attempts[i] = attempt_to(&remote, world.client_tls);
		uv_run(&loop, UV_RUN_DEFAULT);
		assert_true(world.received == LEN || i == 2);
	}
	if (!world.closed)
		uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(world.closed);
	assert_ptr_equal(world.over, attempts[0]);
	for (size_t i = 0; i < ARRAY_LEN(attempts); i++)
		attempt_close(attempts[i]);
}

static void who_proves_no_key_ends_nobody(void **state)
{
	struct tls_context *stranger =
		tls_context_new(TLS_CLIENT, &other_key, &job_key.public, NULL);
	struct quic_addr remote;
	struct attempt *asleep, *attempts[4];

	(void)state;
	world.connections = 2;
	remote = serve();
	asleep = attempt_to(&remote, world.client_tls);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(world.received, LEN);
	for (size_t i = 0; i < ARRAY_LEN(attempts); i++) {
		attempts[i] = attempt_to(&remote, stranger);
		uv_run(&loop, UV_RUN_DEFAULT);
		assert_ptr_equal(world.over, attempts[i]);
		attempt_close(attempts[i]);
	}
	assert_true(attempt_is_ready(asleep));
	attempt_close(asleep);
	uv_run(&loop, UV_RUN_NOWAIT);
	tls_context_free(stranger);
}

static void the_address_that_answers_wins(void **state)
{
	struct quic_addr addrs[3];
	struct client *client;

	(void)state;
	assert_true(addr_parse("192.0.2.1:9", &addrs[0]));
	assert_true(addr_parse("127.0.0.1:1", &addrs[1]));
	addrs[2] = serve();
	write_endpoint(addrs, 3);
	client = dial();
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(world.received, LEN);
	client_close(client);
}

static void a_job_with_another_key_is_refused_in_words(void **state)
{
	struct quic_addr addr = serve();
	struct client *client;

	(void)state;
	tls_context_free(world.client_tls);
	world.client_tls = tls_context_new(TLS_CLIENT, &client_key, &other_key.public, NULL);
	write_endpoint(&addr, 1);
	client = dial();
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(world.closed);
	assert_int_equal(world.why.kind, ERR_DENIED);
	assert_memory_equal(world.why.text, "job-7: ", 7);
	client_close(client);
}

static void assert_told(const char *reason, const char *expected)
{
	struct quic_addr addr = serve();
	struct client *client;

	world.stop_at = LEN / 4;
	write_endpoint(&addr, 1);
	client = dial();
	uv_run(&loop, UV_RUN_DEFAULT);
	server_close(world.server, reason, on_server_closed);
	world.server = NULL;
	world.stop_at = SIZE_MAX;
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(world.closed);
	assert_string_equal(world.why.text, expected);
	client_close(client);
}

static void a_server_that_closes_tells_its_clients(void **state)
{
	(void)state;
	assert_told(NULL, "job-7: the job has ended");
}

static void a_server_that_closes_says_why(void **state)
{
	(void)state;
	assert_told("the job has ended: FAILED, exit code 3",
		    "job-7: the job has ended: FAILED, exit code 3");
}

static void an_endpoint_that_appears_late_is_found(void **state)
{
	struct client *client = dial();
	struct quic_addr addr;

	(void)state;
	for (int turn = 0; turn < 3; turn++)
		uv_run(&loop, UV_RUN_ONCE);
	assert_false(world.closed);
	addr = serve();
	write_endpoint(&addr, 1);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(world.received, LEN);
	client_close(client);
}

static void addresses_of_this_host_come_first_only_on_this_host(void **state)
{
	struct endpoint endpoint = { .host = "node1" };
	struct addr_list own = { .len = 0 }, order;
	struct quic_addr far, loopback, mine;

	(void)state;
	assert_true(addr_parse("10.1.2.3:4000", &far));
	assert_true(addr_parse("127.0.0.1:4000", &loopback));
	assert_true(addr_list_add(&endpoint.addresses, &far));
	assert_true(addr_list_add(&endpoint.addresses, &loopback));
	order_addresses(&endpoint, "laptop", &own, &order);
	assert_true(addr_equal(&order.items[0], &far));
	order_addresses(&endpoint, "node1", &own, &order);
	assert_true(addr_equal(&order.items[0], &loopback));
	assert_int_equal(order.len, 2);
	/* Another name for this host, as in a container: its addresses tell. */
	mine = far;
	addr_set_port(&mine, 0);
	assert_true(addr_list_add(&own, &mine));
	order_addresses(&endpoint, "laptop", &own, &order);
	assert_true(addr_equal(&order.items[0], &loopback));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_sent_comes_back),
		TEST(a_connection_moves_to_a_fresh_path_in_the_middle_of_a_transfer),
		TEST(a_path_is_tried_beside_the_one_in_use_and_taken_once_it_answers),
		TEST(where_there_are_many_the_most_silent_one_ends),
		TEST(who_proves_no_key_ends_nobody),
		TEST(the_address_that_answers_wins),
		TEST(a_job_with_another_key_is_refused_in_words),
		TEST(a_server_that_closes_tells_its_clients),
		TEST(a_server_that_closes_says_why),
		TEST(an_endpoint_that_appears_late_is_found),
		TEST(addresses_of_this_host_come_first_only_on_this_host),
	};

	return cmocka_run_group_tests(tests, make_keys, remove_keys);
}
