/* SPDX-License-Identifier: MIT */
/* Data over faulty links: every byte arrives, once, in order, whatever the link does. */
#include "tests/sim/sim.h"

#include <inttypes.h>

#define MIB (UINT64_C(1) << 20)
#define COUNT (10 * MIB)

static const struct link_settings wan = {
	.delay_ns = 10 * NSEC_PER_MSEC,
	.rate_bps = UINT64_C(200000000),
	.queue_max = 1024 * 1024,
};

static void assert_sink_heard(const struct peer_stream *s, uint64_t count)
{
	char expected[64];

	snprintf(expected, sizeof(expected), "%" PRIu64 " %016" PRIx64, count,
		 pattern_sum_of(count));
	assert_string_equal(s->text, expected);
}

/* 10 MiB to the server and 10 MiB from it, at the same time. */
static void move_both_ways(const struct link_settings *link, uint64_t seed)
{
	cleanup(world_free) struct world *w =
		world_new(&(struct world_config){ .link = *link, .seed = seed });
	struct peer_stream up = { .to_send = COUNT }, down = { .checks = true };
	struct world_client *client = world_connect(w, &peer_client_ops, NULL);
	char path[64];

	snprintf(path, sizeof(path), "/source/%" PRIu64, COUNT);
	peer_request(client, w, "/sink", &up);
	peer_request(client, w, path, &down);
	assert_true(world_run(w, peer_is_closed, &up, 600 * NSEC_PER_SEC));
	assert_true(world_run(w, peer_is_closed, &down, 600 * NSEC_PER_SEC));
	assert_false(up.has_error || down.has_error);
	assert_sink_heard(&up, COUNT);
	assert_int_equal(down.received, COUNT);
	assert_false(down.is_wrong);
}

static void a_clean_link_carries_data_both_ways(void **state)
{
	(void)state;
	move_both_ways(&wan, 1);
}

static void one_percent_loss_costs_no_byte(void **state)
{
	struct link_settings link = wan;

	(void)state;
	link.loss = 0.01;
	move_both_ways(&link, 2);
}

static void three_percent_loss_costs_no_byte(void **state)
{
	struct link_settings link = wan;

	(void)state;
	link.loss = 0.03;
	move_both_ways(&link, 3);
}

static void ten_percent_loss_costs_no_byte(void **state)
{
	struct link_settings link = wan;

	(void)state;
	link.loss = 0.1;
	move_both_ways(&link, 4);
}

static void reordered_datagrams_are_put_in_order(void **state)
{
	struct link_settings link = wan;

	(void)state;
	link.reorder = 0.05;
	link.reorder_delay_ns = 5 * NSEC_PER_MSEC;
	move_both_ways(&link, 5);
}

static void duplicated_datagrams_count_once(void **state)
{
	struct link_settings link = wan;

	(void)state;
	link.duplicate = 0.1;
	move_both_ways(&link, 6);
}

static void corrupted_datagrams_are_not_believed(void **state)
{
	struct link_settings link = wan;

	(void)state;
	link.corrupt = 0.01;
	move_both_ways(&link, 7);
}

static void all_faults_at_once_cost_no_byte(void **state)
{
	struct link_settings link = wan;

	(void)state;
	link.loss = 0.02;
	link.reorder = 0.02;
	link.reorder_delay_ns = 3 * NSEC_PER_MSEC;
	link.duplicate = 0.02;
	link.corrupt = 0.005;
	move_both_ways(&link, 8);
}

static void large_datagrams_are_found_where_the_path_carries_them(void **state)
{
	static const struct {
		size_t path, found;
	} cases[] = { { 0, QUIC_DATAGRAM_MAX },
		      { 8972, 8952 },
		      { 1472, 1452 },
		      { 1400, 1392 },
		      { 1252, 1200 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup(world_free) struct world *w = world_new(&(struct world_config){
			.link = { .delay_ns = NSEC_PER_MSEC, .datagram_max = cases[i].path } });
		struct peer_stream s = { .checks = true };
		struct world_client *client = world_connect(w, &peer_client_ops, NULL);
		struct quic_stats stats;

		peer_request(client, w, "/source/20000000", &s);
		assert_true(world_run(w, peer_is_closed, &s, 60 * NSEC_PER_SEC));
		assert_int_equal(s.received, 20000000);
		world_run(w, NULL, NULL, 20 * NSEC_PER_SEC);
		quic_conn_stats(h3_conn_quic(w->accepted[0]), &stats);
		assert_int_equal(stats.datagram, cases[i].found);
		assert_int_equal(stats.packets_lost, 0);
	}
}

/*
 * A single stream fills a long fat pipe: credit and send buffer must grow to its product of rate
 * and delay.
 */
static void a_long_fat_pipe_is_filled_by_one_stream(void **state)
{
	cleanup(world_free) struct world *w =
		world_new(&(struct world_config){ .link = { .delay_ns = 50 * NSEC_PER_MSEC,
							    .rate_bps = UINT64_C(500000000),
							    .queue_max = 8 * 1024 * 1024 } });
	struct peer_stream s = { .checks = true };
	struct world_client *client = world_connect(w, &peer_client_ops, NULL);
	uint64_t bytes = 150 * MIB;
	char path[64];

	(void)state;
	snprintf(path, sizeof(path), "/source/%" PRIu64, bytes);
	peer_request(client, w, path, &s);
	assert_true(world_run(w, peer_is_closed, &s, 60 * NSEC_PER_SEC));
	assert_int_equal(s.received, bytes);
	assert_false(s.is_wrong);
	/* 2.5 s at full rate; slow start and the growing windows may take as long again. */
	assert_true(w->now - WORLD_START < 5 * NSEC_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clean_link_carries_data_both_ways),
		cmocka_unit_test(one_percent_loss_costs_no_byte),
		cmocka_unit_test(three_percent_loss_costs_no_byte),
		cmocka_unit_test(ten_percent_loss_costs_no_byte),
		cmocka_unit_test(reordered_datagrams_are_put_in_order),
		cmocka_unit_test(duplicated_datagrams_count_once),
		cmocka_unit_test(corrupted_datagrams_are_not_believed),
		cmocka_unit_test(all_faults_at_once_cost_no_byte),
		cmocka_unit_test(large_datagrams_are_found_where_the_path_carries_them),
		cmocka_unit_test(a_long_fat_pipe_is_filled_by_one_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
