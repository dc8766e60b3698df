/* SPDX-License-Identifier: MIT */
/* A job, a relay and a client that meets the job there: in one program, on real sockets. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "tunnel/crypto/sha256.h"
#include "tunnel/net/addr.h"
#include "tunnel/net/client.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/hub.h"
#include "tunnel/net/link.h"
#include "tunnel/net/server.h"
#include "tunnel/net/timer.h"
#include "tunnel/relay/relay.h"

#define LEN (4 * 1024 * 1024)
#define RESET_KEY ((struct secret){ .bytes = { 9 } })
#define TOKEN "the-token-of-a-test"

static uv_loop_t loop;
static struct timer watchdog;
static char dir[] = "/tmp/berth-relayed-XXXXXX";
static char *tokens_path, *endpoint_path;
static struct key_pair job_key, client_key;
static struct relay_keys relay_keys;

static struct {
	struct relay *relay;
	struct quic_addr relay_addr;
	struct hub *hub;
	struct server *server;
	struct link *link;
	unsigned int ups;
	struct relay_site site;
	struct relay_sites sites;
	struct tls_context *server_tls, *client_tls;
	struct client *client;
	struct h3_stream *stream;
	size_t sent, received, stop_at;
	bool closed;
	struct err why;
} world;

static void give_up(struct timer *timer, void *owner)
{
	(void)timer;
	(void)owner;
	fail_msg("nothing happened for twenty seconds");
}

/* The job echoes. */

static void echo_body(struct h3_stream *stream, void *user, struct span bytes)
{
	(void)user;
	assert_true(h3_stream_write(stream, bytes));
	h3_stream_consumed(stream, bytes.len);
}

static const struct h3_stream_ops echo_ops = { .body = echo_body };

static void on_request(void *owner, struct h3_stream *stream, const struct h3_request *request)
{
	(void)owner;
	(void)request;
	h3_stream_set_ops(stream, &echo_ops, NULL);
	h3_stream_respond(stream, 200);
}

static const struct server_ops server_ops = { .request = on_request };

static void on_up(struct link *link, void *owner)
{
	(void)link;
	(void)owner;
	world.ups++;
	uv_stop(&loop);
}

static void on_peer(struct link *link, void *owner, const struct quic_tag *tag, bool is_here)
{
	(void)owner;
	server_path_peer(world.server, link_path(link), tag, is_here);
}

static void on_moved(struct link *link, void *owner)
{
	(void)link;
	(void)owner;
}

static void on_down(struct link *link, void *owner, const struct err *why, bool is_final)
{
	(void)link;
	(void)owner;
	(void)why;
	assert_false(is_final);
}

static const struct link_ops link_ops = { on_up, on_peer, on_moved, on_down };

static void start_job(void)
{
	struct server_config config = {
		.loop = &loop,
		.tls = world.server_tls,
		.reset_key = &RESET_KEY,
		.settings = QUIC_SETTINGS_DEFAULT,
		.ops = &server_ops,
	};
	struct link_config link = {
		.loop = &loop,
		.site = &world.site,
		.role = LINK_JOB,
		.key = &job_key,
		.udp = true,
		.ops = &link_ops,
	};
	struct err err;

	world.hub = hub_new(&(struct hub_config){ .loop = &loop }, &err);
	assert_non_null(world.hub);
	config.hub = link.hub = world.hub;
	key_tag(&job_key.public, config.tag.bytes);
	link.tag = config.tag;
	key_id(&job_key.public, &link.id);
	world.link = link_new(&link, &err);
	assert_non_null(world.link);
	world.server = server_new(&config, &err);
	assert_non_null(world.server);
	assert_int_equal(server_add_path(world.server, link_path(world.link)), 0);
}

static void start_relay(void)
{
	const struct relay_config config = {
		.loop = &loop,
		.keys = &relay_keys,
		.tokens = tokens_path,
		.listen = world.relay_addr,
		.drain_ns = NSEC_PER_SEC,
	};
	struct err err = { 0 };

	/* A port that is free for UDP may be taken for TCP. */
	for (int i = 0; i < 20 && !world.relay; i++)
		world.relay = relay_new(&config, &err);
	if (!world.relay)
		fail_msg("%s", err.text);
	world.relay_addr = *relay_local(world.relay);
	world.site.port = addr_port(&world.relay_addr);
}

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
	const struct h3_request request = { .method = "CONNECT", .authority = "echo:7" };

	(void)owner;
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

static const struct client_ops client_ops = { .connected = on_connected, .closed = on_closed };

static void dial(void)
{
	const struct client_config config = {
		.loop = &loop,
		.name = "job-7",
		.endpoint = endpoint_path,
		.tls = world.client_tls,
		.job = &job_key.public,
		.relays = &world.sites,
		.ops = &client_ops,
	};

	world.client = client_new(&config);
}

/* Setting up */

static int make_keys(void **state)
{
	cleanup(sha256_free) struct sha256 *sum = NULL;
	uint8_t hash[SHA256_LEN];
	cleanup(buf_finish) struct buf line = BUF_INIT(256);

	(void)state;
	if (!mkdtemp(dir) || key_pair_generate(&job_key, NULL) < 0 ||
	    key_pair_generate(&client_key, NULL) < 0 ||
	    relay_keys_derive(&(struct secret){ .bytes = { 7 } }, &relay_keys, NULL) < 0)
		return -1;
	tokens_path = fs_join(dir, "tokens");
	endpoint_path = fs_join(dir, "endpoint.0.json");
	sum = sha256_new();
	sha256_add(sum, span_of_str(TOKEN));
	sha256_end(sum, hash);
	if (!buf_printf(&line, "me sha256:"))
		return -1;
	for (size_t i = 0; i < sizeof(hash); i++) {
		if (!buf_printf(&line, "%02x", hash[i]))
			return -1;
	}
	return buf_printf(&line, "\n") ? fs_write_file(tokens_path, buf_span(&line), 0600, NULL)
				       : -1;
}

static int remove_keys(void **state)
{
	(void)state;
	free(tokens_path);
	free(endpoint_path);
	relay_keys_finish(&relay_keys);
	return fs_remove_tree(dir, NULL);
}

static int set_up(void **state)
{
	static char host[] = "127.0.0.1", token[] = TOKEN;

	(void)state;
	memset(&world, 0, sizeof(world));
	world.stop_at = LEN;
	uv_loop_init(&loop);
	assert_int_equal(timer_open(&watchdog, &loop, give_up, NULL, NULL), 0);
	timer_set(&watchdog, clock_now() + 20 * NSEC_PER_SEC);
	world.server_tls = tls_context_new(TLS_SERVER, &job_key, &client_key.public, NULL);
	world.client_tls = tls_context_new(TLS_CLIENT, &client_key, &job_key.public, NULL);
	assert_true(addr_parse_listen("127.0.0.1:0", &world.relay_addr));
	start_relay();
	world.site.host = host;
	world.site.token = token;
	world.site.key = relay_keys.pair.public;
	world.sites = (struct relay_sites){ &world.site, 1 };
	return 0;
}

static void on_link_closed(void *owner)
{
	(void)owner;
	hub_close(world.hub, NULL, NULL);
}

static void on_server_closed(void *owner)
{
	(void)owner;
	link_close(world.link, on_link_closed, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	client_close(world.client);
	if (world.server)
		server_close(world.server, NULL, on_server_closed);
	relay_close(world.relay);
	timer_close(&watchdog, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	tls_context_free(world.server_tls);
	tls_context_free(world.client_tls);
	return uv_loop_close(&loop);
}

/* The tests */

static void a_job_without_an_address_is_found_at_its_relay(void **state)
{
	(void)state;
	start_job();
	dial();
	while (world.received < LEN && !world.closed)
		uv_run(&loop, UV_RUN_DEFAULT);
	assert_false(world.closed);
	assert_int_equal(world.received, LEN);
	assert_true(link_is_up(world.link));
}

/* A client may be there first. */
static void a_job_that_registers_later_is_found(void **state)
{
	(void)state;
	dial();
	for (int turn = 0; turn < 20; turn++)
		uv_run(&loop, UV_RUN_NOWAIT);
	start_job();
	while (world.received < LEN && !world.closed)
		uv_run(&loop, UV_RUN_DEFAULT);
	assert_false(world.closed);
	assert_int_equal(world.received, LEN);
}

static void a_relay_that_comes_back_costs_a_transfer_nothing(void **state)
{
	(void)state;
	start_job();
	dial();
	world.stop_at = LEN / 4;
	while (world.received < LEN / 4 && !world.closed)
		uv_run(&loop, UV_RUN_DEFAULT);
	relay_close(take_ptr(world.relay));
	for (int turn = 0; turn < 20; turn++)
		uv_run(&loop, UV_RUN_NOWAIT);
	start_relay();
	world.stop_at = LEN;
	while (world.received < LEN && !world.closed)
		uv_run(&loop, UV_RUN_DEFAULT);
	assert_false(world.closed);
	assert_int_equal(world.received, LEN);
	assert_true(world.ups >= 2);
}

static void a_token_that_the_relay_does_not_know_is_told_at_once(void **state)
{
	static char wrong[] = "another-token";
	uint64_t start = clock_now();

	(void)state;
	world.site.token = wrong;
	/* The file would be waited for. */
	dial();
	while (!world.closed)
		uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(world.why.kind, ERR_DENIED);
	assert_non_null(strstr(world.why.text, "does not know this token"));
	assert_non_null(strstr(world.why.text, "relay 127.0.0.1"));
	assert_true(clock_now() - start < 8 * NSEC_PER_SEC);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_job_without_an_address_is_found_at_its_relay),
		TEST(a_job_that_registers_later_is_found),
		TEST(a_relay_that_comes_back_costs_a_transfer_nothing),
		TEST(a_token_that_the_relay_does_not_know_is_told_at_once),
	};

	return cmocka_run_group_tests(tests, make_keys, remove_keys);
}
