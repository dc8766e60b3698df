/* SPDX-License-Identifier: MIT */
/*
 * What a session outlives, with bytes that are checked both ways: bad links, ten minutes without
 * any, an hour of sleep in the middle of a transfer.
 */
#include "tests/sim/sim.h"

#define DELAY (25 * NSEC_PER_MSEC)
#define MINUTE (60 * NSEC_PER_SEC)
#define COUNT (UINT64_C(8) << 20)

static const struct link_settings good = { .delay_ns = DELAY, .rate_bps = UINT64_C(20000000) };

/* A keystroke now and then, and bulk data, both of them echoed. */
struct session {
	struct world *w;
	struct world_client *client;
	struct peer_client owner;
	struct peer_stream keys, bulk;
};

static void begin(struct session *s, uint64_t seed)
{
	*s = (struct session){
		.w = world_new(&(struct world_config){ .link = good, .seed = seed }),
		.keys = { .keep_open = true, .checks = true, .urgency = H3_URGENCY_TYPED },
		.bulk = { .to_send = COUNT, .checks = true },
	};
	s->client = world_connect(s->w, &peer_client_ops, &s->owner);
	peer_request(s->client, s->w, "/echo", &s->keys);
	peer_request(s->client, s->w, "/echo", &s->bulk);
	peer_send(&s->keys, 10);
	world_run(s->w, NULL, NULL, 200 * NSEC_PER_MSEC);
	assert_int_equal(s->keys.received, 10);
	assert_true(s->bulk.received < COUNT);
}

static bool all_echoed(const void *arg)
{
	const struct session *s = arg;

	return s->bulk.closed && s->keys.received == s->keys.sent;
}

/* Every byte came back, once and in order. */
static void assert_whole(struct session *s, uint64_t limit_ns)
{
	assert_true(world_run(s->w, all_echoed, s, limit_ns));
	assert_false(s->owner.is_closed);
	assert_false(s->keys.is_wrong || s->bulk.is_wrong || s->bulk.has_error);
	assert_int_equal(s->bulk.received, COUNT);
	s->w = world_free(s->w);
}

static void set_links(struct session *s, const struct link_settings *to)
{
	*link_settings(s->client->up) = *to;
	*link_settings(s->client->down) = *to;
}

static void a_link_that_loses_a_third_carries_the_session(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct link_settings bad = good;
		struct session s;

		begin(&s, seed);
		bad.loss = 0.3;
		set_links(&s, &bad);
		for (size_t i = 0; i < 20; i++) {
			peer_send(&s.keys, 3);
			world_run(s.w, NULL, NULL, NSEC_PER_SEC);
		}
		assert_whole(&s, 30 * MINUTE);
	}
}

static void all_faults_at_once_spare_the_session(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct link_settings bad = good;
		struct session s;

		begin(&s, seed);
		bad.loss = 0.1;
		bad.reorder = 0.1;
		bad.reorder_delay_ns = 30 * NSEC_PER_MSEC;
		bad.duplicate = 0.1;
		bad.corrupt = 0.02;
		set_links(&s, &bad);
		for (size_t i = 0; i < 20; i++) {
			peer_send(&s.keys, 3);
			world_run(s.w, NULL, NULL, NSEC_PER_SEC);
		}
		assert_whole(&s, 30 * MINUTE);
	}
}

/* As the keeper does it: a move after twelve seconds, and ever less often after that. */
static void ten_minutes_without_a_network_cost_seconds_afterwards(void **state)
{
	uint64_t waited = 0;
	struct session s;
	struct err err;

	(void)state;
	begin(&s, 1);
	world_cut(s.client, true);
	peer_send(&s.keys, 100);
	for (uint64_t wait = 12 * NSEC_PER_SEC; waited + wait < 10 * MINUTE; wait *= 2) {
		world_run(s.w, NULL, NULL, wait);
		waited += wait;
		/* Ids for moves run out, at worst; the session does not mind. */
		(void)!world_migrate(s.w, s.client, &err);
	}
	world_run(s.w, NULL, NULL, 10 * MINUTE - waited);
	world_cut(s.client, false);
	/* The next look at the silence, or the address of the network that came back. */
	(void)!world_migrate(s.w, s.client, &err);
	assert_whole(&s, 10 * NSEC_PER_SEC);
}

static uint64_t heard_at(const struct session *s)
{
	struct quic_stats stats;

	quic_conn_stats(h3_conn_quic(s->client->h3), &stats);
	return stats.received_at;
}

/*
 * As the keeper does it: the job is asked every three seconds. Moves get rarer, the window of the
 * last one is full, and the timers of both sides have grown; the question gets out all the same.
 */
static void a_question_gets_out_of_a_full_window(void **state)
{
	uint64_t waited = 0, next_move = 12 * NSEC_PER_SEC, back_at;
	struct session s;
	struct err err;

	(void)state;
	begin(&s, 1);
	world_cut(s.client, true);
	for (; waited < 2 * MINUTE; waited += 3 * NSEC_PER_SEC) {
		quic_conn_probe(h3_conn_quic(s.client->h3));
		world_run(s.w, NULL, NULL, 3 * NSEC_PER_SEC);
		if (waited < next_move)
			continue;
		assert_int_equal(world_migrate(s.w, s.client, &err), 0);
		next_move = 2 * next_move + 12 * NSEC_PER_SEC;
	}
	world_cut(s.client, false);
	back_at = s.w->now;
	quic_conn_probe(h3_conn_quic(s.client->h3));
	world_run(s.w, NULL, NULL, 4 * DELAY);
	assert_true(heard_at(&s) > back_at);
	assert_int_equal(world_migrate(s.w, s.client, &err), 0);
	assert_whole(&s, 10 * NSEC_PER_SEC);
}

/* The client hears and says nothing for an hour; the job's timers are doubled meanwhile. */
static void an_hour_of_sleep_in_a_transfer_costs_no_byte(void **state)
{
	struct session s;
	struct err err;

	(void)state;
	begin(&s, 2);
	world_cut(s.client, true);
	world_run(s.w, NULL, NULL, 60 * MINUTE);
	world_cut(s.client, false);
	assert_int_equal(world_migrate(s.w, s.client, &err), 0);
	peer_send(&s.keys, 5);
	assert_whole(&s, 10 * NSEC_PER_SEC);
}

/* Wi-Fi to cable to Wi-Fi, every other second, on a link that loses some. */
static void a_new_address_every_two_seconds_costs_no_byte(void **state)
{
	struct link_settings bad = good;
	struct session s;
	struct err err;

	(void)state;
	begin(&s, 3);
	bad.loss = 0.02;
	bad.rate_bps = 2000000;
	set_links(&s, &bad);
	for (size_t i = 0; i < 20; i++) {
		peer_send(&s.keys, 3);
		world_run(s.w, NULL, NULL, 2 * NSEC_PER_SEC);
		assert_int_equal(world_migrate(s.w, s.client, &err), 0);
	}
	assert_whole(&s, 10 * MINUTE);
}

/* One direction only: what the job says does not come, what it hears does. */
static void a_link_that_is_deaf_for_a_minute_loses_nothing(void **state)
{
	struct session s;
	struct err err;

	(void)state;
	begin(&s, 4);
	link_settings(s.client->down)->is_cut = true;
	for (size_t i = 0; i < 60; i++) {
		peer_send(&s.keys, 1);
		world_run(s.w, NULL, NULL, NSEC_PER_SEC);
	}
	link_settings(s.client->down)->is_cut = false;
	(void)!world_migrate(s.w, s.client, &err);
	assert_whole(&s, 10 * NSEC_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_link_that_loses_a_third_carries_the_session),
		cmocka_unit_test(all_faults_at_once_spare_the_session),
		cmocka_unit_test(ten_minutes_without_a_network_cost_seconds_afterwards),
		cmocka_unit_test(a_question_gets_out_of_a_full_window),
		cmocka_unit_test(an_hour_of_sleep_in_a_transfer_costs_no_byte),
		cmocka_unit_test(a_new_address_every_two_seconds_costs_no_byte),
		cmocka_unit_test(a_link_that_is_deaf_for_a_minute_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
