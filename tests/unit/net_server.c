/* SPDX-License-Identifier: MIT */
/* The job's server with paths beside its socket; those of sockets are in net_connect.c. */
#include "tests/unit/unit.h"

#include <string.h>

#include "tunnel/net/attempt.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/server.h"
#include "tunnel/net/timer.h"

#define LEN H3_SEND_MAX

static const struct secret RESET_KEY = { { 7 } };

static uv_loop_t loop;
static struct key_pair job_key, client_key;

/* A path in memory: what is sent at one end is received at the other. */
struct end {
	struct path path;
	struct end *other;
	size_t sent, block_after; /* batches; 0: never */
	bool is_closed;
};

static struct {
	struct hub *hub;
	struct server *server;
	struct tls_context *server_tls, *client_tls;
	struct timer watchdog;
	struct attempt *attempt;
	size_t received;
	bool closed;
	struct end job, client;
} world;

static void give_up(struct timer *timer, void *owner)
{
	(void)timer;
	(void)owner;
	fail_msg("nothing happened for twenty seconds");
}

/* The server sends LEN bytes to whoever asks. */

static void send_all(struct h3_stream *stream)
{
	static const uint8_t block[LEN];

	assert_true(h3_stream_write(stream, span_of(block, sizeof(block))));
	h3_stream_end(stream);
}

static void on_request(void *owner, struct h3_stream *stream, const struct h3_request *request)
{
	static const struct h3_stream_ops ops = { 0 };

	(void)owner;
	(void)request;
	h3_stream_set_ops(stream, &ops, NULL);
	h3_stream_respond(stream, 200);
	send_all(stream);
}

static const struct server_ops server_ops = { on_request };

static void on_body(struct h3_stream *stream, void *user, struct span bytes)
{
	(void)user;
	world.received += bytes.len;
	h3_stream_consumed(stream, bytes.len);
	if (world.received == LEN)
		uv_stop(&loop);
}

static void on_ready(struct attempt *attempt, void *owner)
{
	static const struct h3_stream_ops ops = { .body = on_body };
	struct h3_request request = { .method = "CONNECT", .authority = "source:7" };
	struct h3_stream *stream;

	(void)owner;
	assert_int_equal(h3_conn_request(attempt_h3(attempt), &request, &ops, NULL, &stream, NULL),
			 0);
}

static void on_over(struct attempt *attempt, void *owner, const struct err *why)
{
	(void)attempt;
	(void)owner;
	(void)why;
	world.closed = true;
	uv_stop(&loop);
}

static const struct attempt_ops attempt_ops = { on_ready, on_over };

static bool send_to_other(struct path *path, const struct quic_batch *batch)
{
	struct end *end = container_of(path, struct end, path);
	const struct udp_datagrams d = {
		.segment = batch->segment,
		.bytes = span_of(batch->bytes, batch->len),
	};

	assert_false(path->blocked);
	path->blocked = ++end->sent == end->block_after;
	if (path->blocked)
		uv_stop(&loop);
	path_received(&end->other->path, &d);
	path_turn(&end->other->path);
	return !path->blocked;
}

static void close_end(struct path *path)
{
	container_of(path, struct end, path)->is_closed = true;
}

static const struct path_ops end_ops = { .send = send_to_other, .close = close_end };

static void join_ends(struct end *job, struct end *client)
{
	struct end *both[] = { job, client };

	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		*both[i] = (struct end){ .other = both[1 - i] };
		both[i]->path.ops = &end_ops;
		both[i]->path.kind = PATH_LOGIN;
		both[i]->path.name = "login1";
		both[i]->path.address.local = path_synthetic(PATH_LINK_LOGIN);
		both[i]->path.address.remote = path_synthetic(PATH_LINK_LOGIN);
	}
}

static void on_server_closed(void *owner)
{
	(void)owner;
	hub_close(world.hub, NULL, NULL);
}

static int set_up(void **state)
{
	struct hub_config hub = { .loop = &loop };
	struct server_config config = {
		.loop = &loop,
		.reset_key = &RESET_KEY,
		.settings = QUIC_SETTINGS_DEFAULT,
		.ops = &server_ops,
	};

	(void)state;
	memset(&world, 0, sizeof(world));
	uv_loop_init(&loop);
	if (timer_open(&world.watchdog, &loop, give_up, NULL, NULL) < 0)
		return -1;
	timer_set(&world.watchdog, clock_now() + 20 * NSEC_PER_SEC);
	world.server_tls = tls_context_new(TLS_SERVER, &job_key, &client_key.public, NULL);
	world.client_tls = tls_context_new(TLS_CLIENT, &client_key, &job_key.public, NULL);
	config.hub = world.hub = hub_new(&hub, NULL);
	config.tls = world.server_tls;
	if (!world.hub)
		return -1;
	world.server = server_new(&config, NULL);
	join_ends(&world.job, &world.client);
	if (!world.server || server_add_path(world.server, &world.job.path) < 0)
		return -1;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	attempt_close(world.attempt);
	server_close(world.server, NULL, on_server_closed);
	timer_close(&world.watchdog, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(world.job.is_closed);
	tls_context_free(world.server_tls);
	tls_context_free(world.client_tls);
	return uv_loop_close(&loop);
}

static void dial(void)
{
	const struct attempt_config config = {
		.loop = &loop,
		.tls = world.client_tls,
		.settings = QUIC_SETTINGS_DEFAULT,
		.path = &world.client.path,
		.ops = &attempt_ops,
	};

	world.attempt = attempt_new(&config, NULL);
	assert_non_null(world.attempt);
}

static void a_client_comes_by_a_path_beside_the_socket(void **state)
{
	struct server_entry entry;

	(void)state;
	dial();
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(world.received, LEN);
	assert_int_equal(server_list(world.server, &entry, 1), 1);
	assert_int_equal(entry.kind, PATH_LOGIN);
	assert_string_equal(entry.remote, "login login1");
	assert_true(entry.since > 0 && entry.stats.bytes_sent > LEN);
	assert_int_equal(server_list(world.server, &entry, 0), 0);
}

static void a_path_that_takes_nothing_delays_and_does_not_lose(void **state)
{
	struct server_entry entry;

	(void)state;
	world.job.block_after = 12;
	dial();
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(world.job.path.blocked);
	for (int i = 0; i < 20; i++)
		uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(world.job.sent, 12);
	path_writable(&world.job.path);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(world.received, LEN);
	assert_int_equal(server_list(world.server, &entry, 1), 1);
	assert_int_equal(entry.stats.packets_lost, 0);
}

/* It comes back by another one. */
static void the_end_of_a_path_ends_no_connection(void **state)
{
	struct end job, client;
	struct err why = { ERR_UNAVAILABLE, 0, "closed" };

	(void)state;
	world.job.block_after = 12;
	dial();
	uv_run(&loop, UV_RUN_DEFAULT);
	path_over(&world.job.path, &why);
	assert_true(world.job.is_closed);
	join_ends(&job, &client);
	assert_int_equal(server_add_path(world.server, &job.path), 0);
	assert_int_equal(attempt_move(world.attempt, &client.path, NULL), 0);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_false(world.closed);
	assert_int_equal(world.received, LEN);
	assert_true(world.client.is_closed);
	attempt_close(world.attempt);
	world.attempt = NULL;
	server_remove_path(world.server, &job.path);
	assert_true(job.is_closed);
}

static int make_keys(void **state)
{
	(void)state;
	return key_pair_generate(&job_key, NULL) < 0 || key_pair_generate(&client_key, NULL) < 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_client_comes_by_a_path_beside_the_socket),
		TEST(a_path_that_takes_nothing_delays_and_does_not_lose),
		TEST(the_end_of_a_path_ends_no_connection),
	};

	return cmocka_run_group_tests(tests, make_keys, NULL);
}
