/* SPDX-License-Identifier: MIT */
/* Paths on real sockets: they arrive as QUIC is to see them, and can be renewed. */
#include "tests/unit/unit.h"

#include <string.h>

#include "tunnel/net/addr.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/path.h"
#include "tunnel/net/timer.h"

#define LEN 1200

static uv_loop_t loop;
static struct udp server;
static struct timer watchdog;
static struct quic_batch batch;
static struct {
	unsigned int heard, answered, refused;
	struct quic_path server_path, path;
} seen;

static void end_of_test(struct timer *timer, void *owner)
{
	(void)timer;
	(void)owner;
	fail_msg("nothing came within ten seconds");
}

/* The server echoes. */
static void on_heard(struct udp *udp, void *owner, const struct udp_datagrams *d)
{
	struct quic_batch *answer = udp_batch(udp);

	(void)owner;
	seen.heard++;
	seen.server_path = d->path;
	answer->path = d->path;
	answer->ecn = 0;
	answer->len = answer->segment = d->bytes.len;
	memcpy(answer->bytes, d->bytes.ptr, d->bytes.len);
	assert_true(udp_send(udp));
}

static void nothing(struct udp *udp, void *owner)
{
	(void)udp;
	(void)owner;
}

static const struct udp_ops server_ops = { on_heard, nothing, nothing, nothing };

static void on_answered(struct path *path, void *user, const struct udp_datagrams *d)
{
	(void)path;
	(void)user;
	assert_int_equal(d->bytes.len, LEN);
	seen.answered++;
	seen.path = d->path;
	uv_stop(&loop);
}

static void on_writable(struct path *path, void *user)
{
	(void)path;
	(void)user;
}

static void on_refused(struct path *path, void *user)
{
	(void)path;
	(void)user;
	seen.refused++;
	uv_stop(&loop);
}

static void on_over(struct path *path, void *user, const struct err *why)
{
	(void)path;
	(void)user;
	(void)why;
}

static const struct path_user_ops ops = {
	.received = on_answered,
	.writable = on_writable,
	.refused = on_refused,
	.over = on_over,
};

static int set_up(void **state)
{
	struct udp_config config = { .ops = &server_ops };

	(void)state;
	memset(&seen, 0, sizeof(seen));
	uv_loop_init(&loop);
	assert_true(addr_parse_listen("127.0.0.1:0", &config.listen));
	assert_int_equal(udp_open(&server, &loop, &config, NULL), 0);
	assert_int_equal(timer_open(&watchdog, &loop, end_of_test, NULL, NULL), 0);
	timer_set(&watchdog, clock_now() + 10 * NSEC_PER_SEC);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (server.open)
		udp_close(&server, NULL);
	timer_close(&watchdog, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop);
}

static void ask(struct path *path)
{
	batch.path = path->address;
	batch.len = batch.segment = LEN;
	assert_true(path_send(path, &batch));
	uv_run(&loop, UV_RUN_DEFAULT);
}

static void a_renewed_path_has_another_socket_and_another_address(void **state)
{
	struct path *path = path_udp_new(&loop, &server.local, NULL);
	struct quic_path first = path->address;
	struct quic_addr from;

	(void)state;
	path_use(path, &ops, NULL);
	ask(path);
	assert_true(quic_addr_equal(&seen.path.local, &first.local));
	assert_true(quic_addr_equal(&seen.path.remote, &server.local));
	from = seen.server_path.remote;
	assert_int_equal(path_renew(path, NULL), 0);
	ask(path);
	assert_int_equal(seen.answered, 2);
	assert_false(quic_addr_equal(&path->address.local, &first.local));
	assert_true(quic_addr_equal(&seen.path.local, &path->address.local));
	assert_true(quic_addr_equal(&path->address.remote, &first.remote));
	assert_false(quic_addr_equal(&seen.server_path.remote, &from));
	path_close(path);
}

static void what_comes_while_nobody_uses_a_path_is_dropped(void **state)
{
	struct path *path = path_udp_new(&loop, &server.local, NULL);

	(void)state;
	batch.path = path->address;
	batch.len = batch.segment = LEN;
	assert_true(path_send(path, &batch));
	while (seen.heard == 0)
		uv_run(&loop, UV_RUN_ONCE);
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_equal(seen.answered, 0);
	path_use(path, &ops, NULL);
	ask(path);
	assert_int_equal(seen.answered, 1);
	path_close(path);
}

static void nobody_at_the_other_end_is_a_hint_and_no_more(void **state)
{
	struct quic_addr gone = server.local;
	struct path *path;

	(void)state;
	udp_close(&server, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
	path = path_udp_new(&loop, &gone, NULL);
	path_use(path, &ops, NULL);
	ask(path);
	assert_true(seen.refused > 0);
	assert_false(path->blocked);
	path_close(path);
}

static void no_two_synthetic_addresses_are_alike_and_each_knows_its_link(void **state)
{
	struct quic_addr a = path_synthetic(PATH_LINK_FIRST), b = path_synthetic(PATH_LINK_FIRST),
			 real;

	(void)state;
	assert_false(quic_addr_equal(&a, &b));
	assert_int_equal(quic_addr_link(&a), PATH_LINK_FIRST);
	assert_int_equal(quic_addr_link(&b), PATH_LINK_FIRST);
	assert_true(addr_parse("10.0.0.1:4000", &real));
	assert_int_equal(quic_addr_link(&real), 0);
	assert_true(addr_parse("[2001:db8::1]:4000", &real));
	assert_int_equal(quic_addr_link(&real), 0);
}

static void a_path_is_told_by_its_kind_and_its_other_end(void **state)
{
	struct path path = { .kind = PATH_RELAY_TCP, .name = "relay.example.org" };
	char text[PATH_TEXT_MAX];
	enum path_kind kind;

	(void)state;
	path_format(&path, text);
	assert_string_equal(text, "relay-tcp relay.example.org");
	path = (struct path){ .kind = PATH_DIRECT };
	assert_true(addr_parse("10.0.0.1:4000", &path.remote));
	path_format(&path, text);
	assert_string_equal(text, "direct 10.0.0.1:4000");
	for (unsigned int i = 0; i < PATH_KIND_COUNT; i++) {
		assert_true(path_kind_parse(path_kind_name((enum path_kind)i), &kind));
		assert_int_equal(kind, i);
	}
	assert_false(path_kind_parse("carrier-pigeon", &kind));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_renewed_path_has_another_socket_and_another_address, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_comes_while_nobody_uses_a_path_is_dropped,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_at_the_other_end_is_a_hint_and_no_more,
						set_up, tear_down),
		cmocka_unit_test(no_two_synthetic_addresses_are_alike_and_each_knows_its_link),
		cmocka_unit_test(a_path_is_told_by_its_kind_and_its_other_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
