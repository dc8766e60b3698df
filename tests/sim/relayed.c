/* SPDX-License-Identifier: MIT */
/*
 * What tags are for: a relay forwards by them alone, and the server, which sees all clients at the
 * one address of the relay, still notices that one has moved.
 */
#include "tests/sim/sim.h"

#define RTT (50 * NSEC_PER_MSEC)

static const struct world_config relayed = { .link = { .delay_ns = RTT / 2 },
					     .seed = 1,
					     .is_relayed = true };

static void start(struct world *w, struct world_client **client, struct peer_client *owner,
		  struct peer_stream *s)
{
	s->to_send = 100;
	s->keep_open = true;
	s->checks = true;
	*client = world_connect(w, &peer_client_ops, owner);
	peer_request(*client, w, "/echo", s);
	assert_true(world_run(w, peer_is_ready, owner, 10 * NSEC_PER_SEC));
	world_run(w, NULL, NULL, NSEC_PER_SEC);
	assert_int_equal(s->received, 100);
}

static void several_clients_of_one_relay_get_their_own_packets(void **state)
{
	cleanup(world_free) struct world *w = world_new(&relayed);
	struct peer_client owners[3] = { 0 };
	struct peer_stream streams[3] = { 0 };
	struct world_client *clients[3];
	struct err err;

	(void)state;
	for (size_t i = 0; i < 3; i++)
		start(w, &clients[i], &owners[i], &streams[i]);
	for (size_t i = 0; i < 3; i++)
		peer_send(&streams[i], 1000000);
	world_run(w, NULL, NULL, 2 * RTT);
	assert_int_equal(world_migrate(w, clients[1], &err), 0);
	world_run(w, NULL, NULL, 10 * NSEC_PER_SEC);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(streams[i].received, 1000100);
		assert_false(streams[i].is_wrong);
	}
	assert_int_equal(quic_server_count(w->server), 3);
}

static void a_retry_is_answered_through_a_relay(void **state)
{
	cleanup(world_free) struct world *w = world_new(&relayed);
	static struct peer_client owners[QUIC_SERVER_HANDSHAKES_MAX + 8];
	size_t ready = 0;

	(void)state;
	memset(owners, 0, sizeof(owners));
	for (size_t i = 0; i < ARRAY_LEN(owners); i++)
		world_connect(w, &peer_client_ops, &owners[i]);
	world_run(w, NULL, NULL, 2 * NSEC_PER_SEC);
	for (size_t i = 0; i < ARRAY_LEN(owners); i++)
		ready += owners[i].is_ready;
	assert_int_equal(ready, ARRAY_LEN(owners));
}

/* The job goes on printing; the server's timers are doubled again and again meanwhile. */
static void what_the_job_said_in_five_minutes_of_sleep_comes_within_two_round_trips(void **state)
{
	cleanup(world_free) struct world *w = world_new(&relayed);
	struct peer_client owner = { 0 };
	struct peer_stream s = { 0 }, down = { .checks = true };
	struct world_client *client;
	uint64_t before, woke;
	struct err err;

	(void)state;
	start(w, &client, &owner, &s);
	link_settings(client->down)->rate_bps = 1000000;
	peer_request(client, w, "/source/1000000", &down);
	world_run(w, NULL, NULL, NSEC_PER_SEC);
	before = down.received;
	assert_true(before > 0 && before < 1000000);
	world_cut(client, true);
	world_run(w, NULL, NULL, 300 * NSEC_PER_SEC);
	world_cut(client, false);
	woke = w->now;
	assert_int_equal(world_migrate(w, client, &err), 0);
	while (down.received == before && w->now - woke < NSEC_PER_SEC)
		world_run(w, NULL, NULL, NSEC_PER_MSEC);
	assert_true(w->now - woke <= 2 * RTT + 50 * NSEC_PER_MSEC);
	assert_true(world_run(w, peer_is_closed, &down, 60 * NSEC_PER_SEC));
	assert_int_equal(down.received, 1000000);
	assert_false(down.is_wrong);
}

static void a_restarted_server_tells_its_old_clients_behind_a_relay(void **state)
{
	cleanup(world_free) struct world *w = world_new(&relayed);
	struct peer_client owners[3] = { 0 };
	struct peer_stream streams[3] = { 0 };
	struct world_client *clients[3];

	(void)state;
	for (size_t i = 0; i < 3; i++)
		start(w, &clients[i], &owners[i], &streams[i]);
	world_restart_server(w);
	peer_send(&streams[1], 100);
	world_run(w, peer_is_gone, &owners[1], NSEC_PER_SEC);
	assert_true(owners[1].is_closed);
	assert_non_null(strstr(owners[1].why.text, "restarted"));
	/* The others got a reset that was not theirs. */
	assert_false(owners[0].is_closed || owners[2].is_closed);
}

/* A byte stream that is full: nothing is lost, since nothing is written. */
static void a_blocked_path_is_not_written_to(void **state)
{
	cleanup(world_free) struct world *w = world_new(&relayed);
	struct peer_client owner = { 0 };
	struct peer_stream s = { 0 }, down = { .checks = true };
	struct world_client *client;
	struct quic_stats stats;
	uint64_t sent;

	(void)state;
	start(w, &client, &owner, &s);
	link_settings(client->down)->rate_bps = 20000000;
	peer_request(client, w, "/source/10000000", &down);
	for (int i = 0; i < 3; i++) {
		world_run(w, NULL, NULL, NSEC_PER_SEC / 2);
		assert_false(down.closed);
		w->is_blocked = true;
		sent = link_stats(client->down)->sent;
		world_run(w, NULL, NULL, 5 * NSEC_PER_SEC);
		assert_int_equal(link_stats(client->down)->sent, sent);
		w->is_blocked = false;
		quic_server_unblock(w->server);
	}
	assert_true(world_run(w, peer_is_closed, &down, 60 * NSEC_PER_SEC));
	assert_int_equal(down.received, 10000000);
	assert_false(down.is_wrong);
	quic_conn_stats(h3_conn_quic(w->accepted[0]), &stats);
	assert_true(stats.bytes_lost < 1000000);
}

static void moves_behind_a_relay_lose_nothing(void **state)
{
	cleanup(world_free) struct world *w = world_new(&relayed);
	struct peer_client owner = { 0 };
	struct peer_stream s = { 0 }, down = { .checks = true }, up = { .to_send = 10000000 };
	struct world_client *client;
	struct err err;

	(void)state;
	start(w, &client, &owner, &s);
	link_settings(client->down)->rate_bps = link_settings(client->up)->rate_bps = 100000000;
	peer_request(client, w, "/source/10000000", &down);
	peer_request(client, w, "/sink", &up);
	for (int i = 0; i < 5; i++) {
		world_run(w, NULL, NULL, 150 * NSEC_PER_MSEC);
		assert_int_equal(world_migrate(w, client, &err), 0);
	}
	assert_true(world_run(w, peer_is_closed, &down, 60 * NSEC_PER_SEC));
	assert_true(world_run(w, peer_is_closed, &up, 60 * NSEC_PER_SEC));
	assert_int_equal(down.received, 10000000);
	assert_false(down.is_wrong || down.has_error || up.has_error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(several_clients_of_one_relay_get_their_own_packets),
		cmocka_unit_test(a_retry_is_answered_through_a_relay),
		cmocka_unit_test(
			what_the_job_said_in_five_minutes_of_sleep_comes_within_two_round_trips),
		cmocka_unit_test(a_restarted_server_tells_its_old_clients_behind_a_relay),
		cmocka_unit_test(a_blocked_path_is_not_written_to),
		cmocka_unit_test(moves_behind_a_relay_lose_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
