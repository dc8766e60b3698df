/* SPDX-License-Identifier: MIT */
/* Real sockets on loopback. */
#include "tests/unit/unit.h"

#include <string.h>
#include <sys/socket.h>

#include "tunnel/net/addr.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/timer.h"
#include "tunnel/net/turn.h"
#include "tunnel/net/udp.h"

#define SEGMENT 1200
#define DATAGRAMS 10
#define LEN (SEGMENT * (DATAGRAMS - 1) + 700)

static uv_loop_t loop;
static struct udp server, client;
static struct {
	size_t bytes, datagrams;
	uint8_t ecn;
	struct quic_path path;
	bool in_order, refused;
} seen;

static void end_of_test(struct timer *timer, void *owner)
{
	(void)timer;
	(void)owner;
	fail_msg("nothing came within ten seconds");
}

static void on_received(struct udp *udp, void *owner, const struct udp_datagrams *d)
{
	(void)udp;
	(void)owner;
	for (size_t i = 0; i < d->bytes.len; i++)
		seen.in_order =
			seen.in_order && d->bytes.ptr[i] == (uint8_t)((seen.bytes + i) % 251);
	seen.bytes += d->bytes.len;
	seen.datagrams += (d->bytes.len + d->segment - 1) / d->segment;
	seen.ecn = d->ecn;
	seen.path = d->path;
}

static void on_turn(struct udp *udp, void *owner)
{
	(void)udp;
	(void)owner;
	if (seen.bytes >= LEN)
		uv_stop(&loop);
}

static void on_writable(struct udp *udp, void *owner)
{
	(void)udp;
	(void)owner;
}

static void on_refused(struct udp *udp, void *owner)
{
	(void)udp;
	(void)owner;
	seen.refused = true;
	uv_stop(&loop);
}

static const struct udp_ops ops = { on_received, on_turn, on_writable, on_refused };
static struct timer watchdog;

static int set_up(void **state)
{
	(void)state;
	memset(&seen, 0, sizeof(seen));
	seen.in_order = true;
	uv_loop_init(&loop);
	if (timer_open(&watchdog, &loop, end_of_test, NULL, NULL) < 0)
		return -1;
	timer_set(&watchdog, clock_now() + 10 * NSEC_PER_SEC);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	udp_close(&server, NULL);
	udp_close(&client, NULL);
	timer_close(&watchdog, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop);
}

static void open_pair(const char *listen)
{
	struct udp_config config = { .ops = &ops };
	struct err err;

	assert_true(addr_parse_listen(listen, &config.listen));
	assert_int_equal(udp_open(&server, &loop, &config, &err), 0);
	config.listen = (struct quic_addr){ 0 };
	assert_true(addr_parse("127.0.0.1:1", &config.remote));
	addr_set_port(&config.remote, addr_port(&server.local));
	assert_int_equal(udp_open(&client, &loop, &config, &err), 0);
}

static void fill(struct udp *udp, const struct quic_path *path)
{
	struct quic_batch *batch = udp_batch(udp);

	batch->path = *path;
	batch->ecn = 2;
	batch->segment = SEGMENT;
	batch->len = LEN;
	for (size_t i = 0; i < LEN; i++)
		batch->bytes[i] = (uint8_t)(i % 251);
}

static void send_both_ways(const char *listen, bool gso)
{
	struct quic_path path;

	open_pair(listen);
	client.gso = gso;
	server.gso = gso;
	path = (struct quic_path){ .local = client.local, .remote = server.local };
	assert_true(addr_parse("127.0.0.1:1", &path.remote));
	addr_set_port(&path.remote, addr_port(&server.local));
	fill(&client, &path);
	assert_true(udp_send(&client));
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(seen.bytes, LEN);
	assert_int_equal(seen.datagrams, DATAGRAMS);
	assert_int_equal(seen.ecn, 2);
	assert_true(seen.in_order);
	assert_true(addr_equal(&seen.path.remote, &client.local));
	assert_true(addr_is_loopback(&seen.path.local));
	assert_int_equal(addr_port(&seen.path.local), addr_port(&server.local));

	/* The answer leaves from the address the request came to. */
	fill(&server, &seen.path);
	seen.bytes = 0;
	seen.ecn = 0;
	assert_true(udp_send(&server));
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(seen.bytes, LEN);
	assert_int_equal(seen.ecn, 2);
	assert_true(seen.in_order);
	assert_true(addr_equal(&seen.path.local, &client.local));
}

static void a_dual_stack_socket_exchanges_batches(void **state)
{
	(void)state;
	send_both_ways("[::]:0", true);
}

static void an_ipv4_socket_exchanges_batches(void **state)
{
	(void)state;
	send_both_ways("127.0.0.1:0", true);
}

static void without_offload_each_datagram_is_sent_by_itself(void **state)
{
	(void)state;
	send_both_ways("[::]:0", false);
}

static void nobody_at_the_other_end_is_a_hint_and_the_socket_lives_on(void **state)
{
	struct quic_path path;
	struct quic_addr listen;
	struct udp_config config = { .ops = &ops };
	struct err err;

	(void)state;
	open_pair("127.0.0.1:0");
	path = (struct quic_path){ .local = client.local, .remote = server.local };
	listen = server.local;
	udp_close(&server, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
	fill(&client, &path);
	assert_true(udp_send(&client));
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_true(seen.refused);

	config.listen = listen;
	assert_int_equal(udp_open(&server, &loop, &config, &err), 0);
	fill(&client, &path);
	assert_true(udp_send(&client));
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(seen.bytes, LEN);
}

static void a_taken_port_is_told(void **state)
{
	struct udp_config config = { .ops = &ops };
	struct err err;

	(void)state;
	open_pair("[::]:0");
	config.listen = server.local;
	udp_close(&client, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(udp_open(&client, &loop, &config, &err), -1);
	assert_int_equal(err.kind, ERR_EXISTS);
}

static int turns;

static void count_turn(void *owner)
{
	(void)owner;
	turns++;
}

static void a_turn_ends_before_the_loop_sleeps(void **state)
{
	static struct turn turn;

	(void)state;
	turn_open(&turn, &loop, count_turn, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_true(turns >= 2);
	turn_close(&turn, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_dual_stack_socket_exchanges_batches, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(an_ipv4_socket_exchanges_batches, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(without_offload_each_datagram_is_sent_by_itself,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			nobody_at_the_other_end_is_a_hint_and_the_socket_lives_on, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(a_taken_port_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_turn_ends_before_the_loop_sleeps, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
