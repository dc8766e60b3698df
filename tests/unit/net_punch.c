/* SPDX-License-Identifier: MIT */
/*
 * A job and a workstation on loopback, a hub each: their connection begins beside the hubs, as it
 * would by a relay, and moves to the way that the checks find.
 */
#include "tests/unit/unit.h"

#include <string.h>

#include "tunnel/net/addr.h"
#include "tunnel/net/attempt.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/punch.h"
#include "tunnel/net/server.h"
#include "tunnel/net/timer.h"

static const struct secret RESET_KEY = { { 7 } };

static uv_loop_t loop;
static struct key_pair job_key, client_key;

static struct {
	struct hub *job_hub, *hub;
	struct server *server;
	struct punches *job_punches, *punches;
	struct tls_context *server_tls, *client_tls;
	struct timer watchdog;
	struct attempt *attempt;
	struct punch *punch;
	struct h3_stream *echo;
	size_t echoed;
	int chosen, lost, over;
	struct quic_addr way;
	bool is_refused; /* the job takes no part */
} world;

static void give_up(struct timer *timer, void *owner)
{
	(void)timer;
	(void)owner;
	fail_msg("nothing happened for twenty seconds");
}

/* The job: /punch, and an echo. */

static void echo_body(struct h3_stream *stream, void *user, struct span bytes)
{
	(void)user;
	assert_true(h3_stream_write(stream, bytes));
	h3_stream_consumed(stream, bytes.len);
}

static void on_request(void *owner, struct h3_stream *stream, const struct h3_request *request)
{
	static const struct h3_stream_ops ops = { .body = echo_body };
	static const struct err no = { .kind = ERR_UNSUPPORTED, .text = "no" };

	(void)owner;
	if (request->path && strcmp(request->path, "/punch") == 0) {
		if (world.is_refused)
			h3_stream_reject(stream, &no);
		else
			punch_accept(world.job_punches, stream);
		return;
	}
	h3_stream_set_ops(stream, &ops, NULL);
	h3_stream_respond(stream, 200);
}

static const struct server_ops server_ops = { on_request };

/* The workstation. */

static void on_chosen(void *owner, const struct quic_addr *remote, const char *how, uint64_t rtt_ns)
{
	(void)owner;
	assert_string_not_equal(how, "");
	assert_true(rtt_ns > 0);
	world.chosen++;
	world.way = *remote;
	uv_stop(&loop);
}

static void on_lost(void *owner)
{
	(void)owner;
	world.lost++;
	uv_stop(&loop);
}

static void on_punch_over(void *owner)
{
	(void)owner;
	world.over++;
	world.punch = NULL;
	uv_stop(&loop);
}

static const struct punch_ops punch_ops = { on_chosen, on_lost, on_punch_over };

static void on_echo(struct h3_stream *stream, void *user, struct span bytes)
{
	(void)user;
	world.echoed += bytes.len;
	h3_stream_consumed(stream, bytes.len);
	uv_stop(&loop);
}

static void on_ready(struct attempt *attempt, void *owner)
{
	static const struct h3_stream_ops ops = { .body = on_echo };
	const struct h3_request request = { .method = "CONNECT", .authority = "echo:7" };

	(void)owner;
	assert_int_equal(
		h3_conn_request(attempt_h3(attempt), &request, &ops, NULL, &world.echo, NULL), 0);
	world.punch = punch_request(world.punches, attempt_h3(attempt), &punch_ops, NULL, NULL);
	assert_non_null(world.punch);
}

static void on_over(struct attempt *attempt, void *owner, const struct err *why)
{
	(void)attempt;
	(void)owner;
	fail_msg("the connection ended: %s", why->text);
}

static const struct attempt_ops attempt_ops = { on_ready, on_over };

static struct quic_addr loopback_of(const struct hub *hub)
{
	struct quic_addr addr;

	assert_true(addr_parse("127.0.0.1:1", &addr));
	addr_set_port(&addr, addr_port(hub_local(hub)));
	return addr;
}

/* As a relay on this host would say. */
static void observe(struct punches *punches, const struct hub *hub)
{
	struct quic_addr seen = loopback_of(hub);

	punches_observed(punches, &seen, 1);
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
	world.job_hub = config.hub = hub_new(&hub, NULL);
	world.hub = hub_new(&hub, NULL);
	config.tls = world.server_tls;
	world.server = server_new(&config, NULL);
	world.job_punches = punches_new(&loop, world.job_hub, NULL);
	world.punches = punches_new(&loop, world.hub, NULL);
	return world.server && world.job_punches && world.punches ? 0 : -1;
}

static void on_server_closed(void *owner)
{
	(void)owner;
	punches_close(world.job_punches, NULL, NULL);
	hub_close(world.job_hub, NULL, NULL);
}

static int tear_down(void **state)
{
	(void)state;
	punch_close(world.punch);
	attempt_close(world.attempt);
	server_close(world.server, NULL, on_server_closed);
	timer_close(&world.watchdog, NULL);
	for (int i = 0; i < 1000 && uv_loop_alive(&loop); i++) {
		/* Once the connection has said goodbye nobody uses the hub. */
		if (world.punches && i == 100) {
			punches_close(world.punches, NULL, NULL);
			hub_close(world.hub, NULL, NULL);
			world.punches = NULL;
		}
		uv_run(&loop, UV_RUN_NOWAIT);
		uv_sleep(1);
	}
	tls_context_free(world.server_tls);
	tls_context_free(world.client_tls);
	return uv_loop_close(&loop);
}

static void dial(void)
{
	const struct quic_addr job = loopback_of(world.job_hub);
	const struct attempt_config config = {
		.loop = &loop,
		.tls = world.client_tls,
		.settings = QUIC_SETTINGS_DEFAULT,
		.path = path_udp_new(&loop, &job, NULL),
		.ops = &attempt_ops,
	};

	world.attempt = attempt_new(&config, NULL);
	assert_non_null(world.attempt);
}

static void run_until(const int *counter, int value)
{
	while (*counter < value)
		uv_run(&loop, UV_RUN_DEFAULT);
}

static void say(size_t len)
{
	static const uint8_t bytes[1000];
	size_t before = world.echoed;

	assert_true(h3_stream_write(world.echo, span_of(bytes, len)));
	while (world.echoed < before + len)
		uv_run(&loop, UV_RUN_DEFAULT);
}

static void the_connection_moves_to_the_way_that_was_found(void **state)
{
	struct server_entry entry;
	struct quic_addr client;
	char text[ADDR_TEXT_MAX];

	(void)state;
	observe(world.punches, world.hub);
	observe(world.job_punches, world.job_hub);
	dial();
	run_until(&world.chosen, 1);
	assert_int_equal(addr_port(&world.way), addr_port(hub_local(world.job_hub)));
	assert_int_equal(attempt_move(world.attempt, path_punched_new(world.hub, &world.way), NULL),
			 0);
	say(1000);
	assert_int_equal(attempt_path(world.attempt)->kind, PATH_PUNCHED);
	/* The job sees the socket that the checks came from. */
	assert_int_equal(server_list(world.server, &entry, 1), 1);
	client = loopback_of(world.hub);
	addr_format(&client, text);
	assert_non_null(strstr(entry.remote, strchr(text, ':')));
}

static void candidates_may_come_late(void **state)
{
	(void)state;
	dial();
	/* The addresses of interfaces may be enough; where there are none, these are. */
	while (!world.punch)
		uv_run(&loop, UV_RUN_ONCE);
	observe(world.job_punches, world.job_hub);
	observe(world.punches, world.hub);
	run_until(&world.chosen, 1);
}

static void a_way_that_the_connection_finds_dead_is_found_again(void **state)
{
	(void)state;
	observe(world.punches, world.hub);
	observe(world.job_punches, world.job_hub);
	dial();
	run_until(&world.chosen, 1);
	punch_lost(world.punch);
	assert_int_equal(world.lost, 0);
	run_until(&world.chosen, 2);
}

static void a_job_that_takes_no_part_is_left_alone(void **state)
{
	(void)state;
	world.is_refused = true;
	dial();
	run_until(&world.over, 1);
	assert_int_equal(world.chosen, 0);
	/* The connection goes on. */
	say(100);
}

static void on_second_closed(struct h3_stream *stream, void *user, const struct err *why)
{
	(void)stream;
	(void)user;
	(void)why;
	uv_stop(&loop);
}

static void on_second(struct h3_stream *stream, void *user, int status)
{
	(void)stream;
	*(int *)user = status;
}

static void a_connection_has_one_of_it(void **state)
{
	static const struct h3_stream_ops ops = { .response = on_second,
						  .closed = on_second_closed };
	const struct h3_request request = { .method = "POST",
					    .authority = "job",
					    .path = "/punch" };
	struct h3_stream *stream;
	int status = 0;

	(void)state;
	observe(world.punches, world.hub);
	observe(world.job_punches, world.job_hub);
	dial();
	run_until(&world.chosen, 1);
	assert_int_equal(
		h3_conn_request(attempt_h3(world.attempt), &request, &ops, &status, &stream, NULL),
		0);
	h3_stream_end(stream);
	while (status == 0)
		uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(status, 409);
	assert_int_equal(world.over, 0);
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
		TEST(the_connection_moves_to_the_way_that_was_found),
		TEST(candidates_may_come_late),
		TEST(a_way_that_the_connection_finds_dead_is_found_again),
		TEST(a_job_that_takes_no_part_is_left_alone),
		TEST(a_connection_has_one_of_it),
	};

	return cmocka_run_group_tests(tests, make_keys, NULL);
}
