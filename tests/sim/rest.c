/* SPDX-License-Identifier: MIT */
/* Questions and answers on a short path: acknowledgements ride on them, and are never forgotten. */
#include "tests/sim/sim.h"

#define EXCHANGES 200
#define THINKING 100000 /* ns */

static const struct world_config near = { .link = { .delay_ns = 20000 } };

static struct quic_stats stats_of(struct h3_conn *h3)
{
	struct quic_stats stats;

	quic_conn_stats(h3_conn_quic(h3), &stats);
	return stats;
}

/* A stream that has been answered, on a connection where all else has been said. */
static struct world_client *open_echo(struct world *w, struct peer_stream *s)
{
	struct world_client *client = world_connect(w, &peer_client_ops, NULL);

	peer_request(client, w, "/echo", s);
	assert_true(world_run(w, peer_is_answered, s, NSEC_PER_SEC));
	world_run(w, NULL, NULL, NSEC_PER_SEC);
	return client;
}

static void an_answer_carries_the_acknowledgement(void **state)
{
	cleanup(world_free) struct world *w = world_new(&near);
	struct peer_stream s = { .keep_open = true, .checks = true };
	struct world_client *client = open_echo(w, &s);
	struct quic_stats before = stats_of(client->h3), there = stats_of(w->accepted[0]);

	(void)state;
	for (int i = 0; i < EXCHANGES; i++) {
		peer_send(&s, 1);
		world_run(w, NULL, NULL, THINKING);
	}
	assert_int_equal(s.received, EXCHANGES);
	/* Without rest it would be two for each. */
	assert_in_range(stats_of(client->h3).packets_sent - before.packets_sent, EXCHANGES,
			EXCHANGES * 5 / 4);
	assert_in_range(stats_of(w->accepted[0]).packets_sent - there.packets_sent, EXCHANGES,
			EXCHANGES * 5 / 4);
}

static void a_few_bytes_are_a_small_packet(void **state)
{
	cleanup(world_free) struct world *w = world_new(&near);
	struct peer_stream s = { .keep_open = true };
	struct world_client *client = open_echo(w, &s);
	uint64_t before = stats_of(client->h3).bytes_sent;

	(void)state;
	for (int i = 0; i < EXCHANGES; i++) {
		peer_send(&s, 1);
		world_run(w, NULL, NULL, THINKING);
	}
	assert_int_equal(s.received, EXCHANGES);
	assert_in_range(stats_of(client->h3).bytes_sent - before, EXCHANGES * 20, EXCHANGES * 100);
}

static void what_is_not_answered_is_acknowledged_within_milliseconds(void **state)
{
	cleanup(world_free) struct world *w = world_new(&near);
	struct peer_stream s = { .keep_open = true };
	struct world_client *client = open_echo(w, &s);

	(void)state;
	peer_send(&s, 1);
	/* The answer is there: nobody says anything any more. */
	world_run(w, NULL, NULL, 3 * NSEC_PER_MSEC);
	assert_int_equal(s.received, 1);
	assert_int_equal(stats_of(client->h3).in_flight, 0);
	assert_int_equal(stats_of(w->accepted[0]).in_flight, 0);
}

static void bulk_does_not_wait_for_those_who_rest(void **state)
{
	cleanup(world_free) struct world *w = world_new(&near);
	struct peer_stream s = { .checks = true };
	struct world_client *client = world_connect(w, &peer_client_ops, NULL);

	(void)state;
	world_run(w, NULL, NULL, NSEC_PER_SEC);
	peer_request(client, w, "/source/100000000", &s);
	/* A rest for each credit or burst would take seconds. */
	assert_true(world_run(w, peer_is_closed, &s, 500 * NSEC_PER_MSEC));
	assert_int_equal(s.received, 100000000);
	assert_false(s.is_wrong);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_carries_the_acknowledgement),
		cmocka_unit_test(a_few_bytes_are_a_small_packet),
		cmocka_unit_test(what_is_not_answered_is_acknowledged_within_milliseconds),
		cmocka_unit_test(bulk_does_not_wait_for_those_who_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
