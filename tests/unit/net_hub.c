/* SPDX-License-Identifier: MIT */
/* A hub on loopback, opposite a plain socket. */
#include "tests/unit/unit.h"

#include <string.h>

#include "init/base/alloc.h"
#include "tunnel/net/addr.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/hub.h"
#include "tunnel/net/timer.h"

#define SEGMENT 100

/* Takes the leading datagrams that begin with its letter; sends so many batches with it. */
struct user {
	struct hub_user user;
	char letter;
	size_t datagrams, turns, to_send;
	bool leaves_when_asked, leaves_when_shown;
};

static uv_loop_t loop;
static struct hub *hub;
static struct udp peer;
static struct timer watchdog;
static struct user a, b;
static struct quic_path to_peer;
static char heard[64]; /* the first letter of each datagram that the peer got */
static size_t heard_len, heard_max;

static size_t received(struct hub_user *hub_user, const struct udp_datagrams *d)
{
	struct user *user = container_of(hub_user, struct user, user);
	size_t taken = 0;

	if (user->leaves_when_shown)
		hub_leave(hub_user);
	while (taken < d->bytes.len && d->bytes.ptr[taken] == (uint8_t)user->letter) {
		taken = MIN(taken + d->segment, d->bytes.len);
		user->datagrams++;
	}
	return taken;
}

static bool write_batch(struct hub_user *hub_user, struct quic_batch *batch)
{
	struct user *user = container_of(hub_user, struct user, user);

	if (user->leaves_when_asked) {
		hub_leave(hub_user);
		return false;
	}
	if (user->to_send == 0)
		return false;
	user->to_send--;
	batch->path = to_peer;
	batch->ecn = 0;
	batch->segment = batch->len = SEGMENT;
	memset(batch->bytes, user->letter, SEGMENT);
	return true;
}

static void turn(struct hub_user *hub_user)
{
	container_of(hub_user, struct user, user)->turns++;
	uv_stop(&loop);
}

static const struct hub_user_ops user_ops = { received, write_batch, turn };

static void peer_received(struct udp *udp, void *owner, const struct udp_datagrams *d)
{
	(void)udp;
	(void)owner;
	for (size_t at = 0; at < d->bytes.len && heard_len < sizeof(heard); at += d->segment)
		heard[heard_len++] = (char)d->bytes.ptr[at];
	if (heard_len >= heard_max)
		uv_stop(&loop);
}

static void ignore(struct udp *udp, void *owner)
{
	(void)udp;
	(void)owner;
}

static const struct udp_ops peer_ops = { peer_received, ignore, ignore, ignore };

static void too_long(struct timer *timer, void *owner)
{
	(void)timer;
	(void)owner;
	fail_msg("nothing came within ten seconds");
}

static int set_up(void **state)
{
	struct udp_config config = { .ops = &peer_ops };
	struct hub_config hub_config = { .loop = &loop };

	(void)state;
	heard_len = 0;
	uv_loop_init(&loop);
	hub = hub_new(&hub_config, NULL);
	if (!hub || timer_open(&watchdog, &loop, too_long, NULL, NULL) < 0 ||
	    !addr_parse("127.0.0.1:1", &config.remote))
		return -1;
	timer_set(&watchdog, clock_now() + 10 * NSEC_PER_SEC);
	addr_set_port(&config.remote, addr_port(hub_local(hub)));
	if (udp_open(&peer, &loop, &config, NULL) < 0)
		return -1;
	to_peer = (struct quic_path){ .remote = peer.local };
	a = (struct user){ .user.ops = &user_ops, .letter = 'a' };
	b = (struct user){ .user.ops = &user_ops, .letter = 'b' };
	hub_join(hub, &a.user);
	hub_join(hub, &b.user);
	return 0;
}

static void count_closed(void *owner)
{
	++*(int *)owner;
}

static int tear_down(void **state)
{
	int closed = 0;

	(void)state;
	hub_leave(&a.user);
	hub_leave(&b.user);
	hub_close(hub, count_closed, &closed);
	udp_close(&peer, NULL);
	timer_close(&watchdog, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop) == 0 && closed == 1 ? 0 : -1;
}

/* One datagram a letter, in one run. */
static void send_to_hub(const char *letters)
{
	struct quic_batch *batch = udp_batch(&peer);

	batch->path = (struct quic_path){ .local = peer.local, .remote = to_peer.remote };
	batch->ecn = 0;
	batch->segment = SEGMENT;
	batch->len = strlen(letters) * SEGMENT;
	for (size_t i = 0; letters[i]; i++)
		memset(batch->bytes + i * SEGMENT, letters[i], SEGMENT);
	assert_true(udp_send(&peer));
}

static void each_user_gets_its_part_of_a_run(void **state)
{
	(void)state;
	send_to_hub("aabaxbba");
	while (a.datagrams + b.datagrams < 7)
		uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(a.datagrams, 4);
	assert_int_equal(b.datagrams, 3);
	assert_true(a.turns > 0 && b.turns > 0);
}

static void users_write_in_turns(void **state)
{
	(void)state;
	a.to_send = b.to_send = 8;
	heard_max = 16;
	hub_wake(&a.user);
	hub_wake(&b.user);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(heard_len, 16);
	assert_memory_equal(heard, "abababababababab", 16);
}

/* The limit of a turn falls between the two: it is b's turn then. */
static void a_turn_is_bounded_and_the_next_goes_on_where_it_ended(void **state)
{
	(void)state;
	a.to_send = 30;
	b.to_send = 1;
	heard_max = 31;
	hub_wake(&a.user);
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_in_range(a.to_send, 0, 30 - HUB_BATCHES_MAX);
	hub_wake(&b.user);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(a.to_send + b.to_send, 0);
	assert_true(memchr(heard, 'b', heard_len) <
		    (const void *)(heard + 2 * HUB_BATCHES_MAX + 1));
}

/* From the last moment before the loop sleeps. */
static void wake_late(uv_prepare_t *prepare)
{
	hub_wake(&a.user);
	uv_prepare_stop(prepare);
}

static void one_that_wakes_after_the_end_of_the_turn_is_not_left_lying(void **state)
{
	uv_prepare_t early, late;

	(void)state;
	a.to_send = 1;
	heard_max = 1;
	uv_prepare_init(&loop, &late);
	uv_prepare_start(&late, wake_late);
	uv_prepare_init(&loop, &early);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(heard_len, 1);
	a.to_send = 1;
	heard_max = 2;
	uv_prepare_start(&early, wake_late);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(heard_len, 2);
	uv_close((uv_handle_t *)&late, NULL);
	uv_close((uv_handle_t *)&early, NULL);
	uv_run(&loop, UV_RUN_NOWAIT);
}

static void users_may_leave_in_their_callbacks(void **state)
{
	(void)state;
	a.leaves_when_asked = true;
	b.to_send = 2;
	heard_max = 2;
	hub_wake(&a.user);
	hub_wake(&b.user);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_null(a.user.hub);
	assert_memory_equal(heard, "bb", 2);
	hub_wake(&a.user);
	hub_leave(&a.user);

	hub_join(hub, &a.user); /* now the second */
	b.leaves_when_shown = true;
	send_to_hub("ab");
	while (a.datagrams < 1)
		uv_run(&loop, UV_RUN_DEFAULT);
	assert_null(b.user.hub);
}

static void what_somebody_sends_at_once_goes_where_it_says(void **state)
{
	static struct quic_batch batch;
	struct quic_path elsewhere = { .remote = quic_addr_synthetic(1, 1) };

	(void)state;
	batch.path = elsewhere;
	batch.segment = SEGMENT;
	batch.len = 3 * SEGMENT;
	memset(batch.bytes, 'x', batch.len);
	heard_max = 3;
	assert_true(hub_send(hub, &to_peer, &batch));
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_memory_equal(heard, "xxx", 3);
}

static void nobody_awake_costs_no_turn(void **state)
{
	(void)state;
	a.to_send = 1;
	heard_max = 1;
	hub_wake(&a.user);
	uv_run(&loop, UV_RUN_DEFAULT);
	uv_run(&loop, UV_RUN_NOWAIT);
	assert_int_not_equal(uv_backend_timeout(&loop), 0);
}

static void a_taken_port_is_told(void **state)
{
	struct hub_config config = { .loop = &loop, .listen = *hub_local(hub) };
	struct err err;

	(void)state;
	assert_null(hub_new(&config, &err));
	assert_int_equal(err.kind, ERR_EXISTS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_user_gets_its_part_of_a_run),
		TEST(users_write_in_turns),
		TEST(a_turn_is_bounded_and_the_next_goes_on_where_it_ended),
		TEST(one_that_wakes_after_the_end_of_the_turn_is_not_left_lying),
		TEST(users_may_leave_in_their_callbacks),
		TEST(what_somebody_sends_at_once_goes_where_it_says),
		TEST(nobody_awake_costs_no_turn),
		TEST(a_taken_port_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
