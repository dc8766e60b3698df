/* SPDX-License-Identifier: MIT */
/* How connections end, and what they survive: silence, sleep, moves, a restarted server. */
#include "tests/sim/sim.h"

#define DELAY (10 * NSEC_PER_MSEC)
#define RTT (2 * DELAY)

static const struct world_config plain = { .link = { .delay_ns = DELAY } };

static void start(struct world *w, struct world_client **client, struct peer_client *owner,
		  struct peer_stream *s)
{
	*client = world_connect(w, &peer_client_ops, owner);
	s->keep_open = true;
	s->to_send = 100;
	s->checks = true;
	peer_request(*client, w, "/echo", s);
	world_run(w, NULL, NULL, NSEC_PER_SEC);
	assert_int_equal(s->received, 100);
}

static void a_close_reaches_the_other_side(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct peer_client owner = { 0 };
	struct peer_stream s = { 0 };
	struct world_client *client;

	(void)state;
	start(w, &client, &owner, &s);
	h3_conn_close(client->h3);
	assert_true(world_run(w, peer_is_gone, &owner, NSEC_PER_SEC));
	assert_int_equal(owner.why.kind, ERR_NONE);
	assert_true(s.closed);
	world_run(w, NULL, NULL, RTT);
	assert_int_equal(quic_server_count(w->server), 0);
	assert_int_equal(w->server_why.kind, ERR_NONE);
	assert_string_equal(w->server_why.text, "closed by the peer");
}

static void a_close_says_why(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct peer_client owner = { 0 };
	struct peer_stream s = { 0 };
	struct world_client *client;

	(void)state;
	start(w, &client, &owner, &s);
	h3_conn_close_because(client->h3, "the job has ended: FAILED, exit code 3");
	assert_true(world_run(w, peer_is_gone, &owner, NSEC_PER_SEC));
	world_run(w, NULL, NULL, RTT);
	assert_int_equal(quic_server_count(w->server), 0);
	assert_int_equal(w->server_why.kind, ERR_UNAVAILABLE);
	assert_string_equal(w->server_why.text, "the job has ended: FAILED, exit code 3");
}

/*
 * Half of all datagrams are lost; the close is said twice, and of a hundred tries nearly all must
 * be heard.
 */
static void a_close_is_said_twice(void **state)
{
	size_t heard = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 100; seed++) {
		struct world_config config = plain;
		cleanup(world_free) struct world *w = NULL;
		struct peer_client owner = { 0 };
		struct peer_stream s = { 0 };
		struct world_client *client;

		config.seed = seed;
		w = world_new(&config);
		start(w, &client, &owner, &s);
		link_settings(client->up)->loss = 0.5;
		h3_conn_close(client->h3);
		world_run(w, NULL, NULL, RTT);
		heard += quic_server_count(w->server) == 0;
	}
	assert_true(heard >= 60);
}

static void a_silent_connection_ends_after_the_idle_timeout(void **state)
{
	struct world_config config = plain;
	cleanup(world_free) struct world *w = NULL;
	struct peer_client owner = { 0 };
	struct peer_stream s = { 0 };
	struct world_client *client;
	uint64_t silent_since;

	(void)state;
	config.client = config.server = QUIC_SETTINGS_DEFAULT;
	w = world_new(&config);
	start(w, &client, &owner, &s);
	silent_since = w->now;
	world_cut(client, true);
	assert_true(world_run(w, peer_is_gone, &owner, 48 * 3600 * NSEC_PER_SEC));
	assert_string_equal(owner.why.text, "the connection was idle for too long");
	assert_int_equal(owner.why.kind, ERR_TIMEOUT);
	assert_true(w->now - silent_since <= 24 * 3600 * NSEC_PER_SEC);
	assert_true(w->now - silent_since > 24 * 3600 * NSEC_PER_SEC - 2 * NSEC_PER_SEC);
	world_run(w, NULL, NULL, 2 * NSEC_PER_SEC);
	assert_int_equal(quic_server_count(w->server), 0);
}

static void keep_alives_hold_an_idle_connection(void **state)
{
	struct world_config config = plain;
	cleanup(world_free) struct world *w = NULL;
	struct peer_client owner = { 0 };
	struct peer_stream s = { 0 };
	struct world_client *client;
	struct quic_stats stats;

	(void)state;
	config.client = config.server = QUIC_SETTINGS_DEFAULT;
	config.client.idle_timeout_ns = config.server.idle_timeout_ns = 60 * NSEC_PER_SEC;
	config.client.keep_alive_ns = 25 * NSEC_PER_SEC;
	w = world_new(&config);
	start(w, &client, &owner, &s);
	world_run(w, NULL, NULL, 3600 * NSEC_PER_SEC);
	assert_false(owner.is_closed);
	quic_conn_stats(h3_conn_quic(client->h3), &stats);
	assert_true(w->now - stats.received_at < 26 * NSEC_PER_SEC);
	/* Without them it ends. */
	quic_conn_set_keep_alive(h3_conn_quic(client->h3), 0);
	assert_true(world_run(w, peer_is_gone, &owner, 100 * NSEC_PER_SEC));
}

/* With what a job has and the heartbeat of an idle client: nothing of a session runs out. */
static void a_week_without_a_word_ends_nothing(void **state)
{
	struct world_config config = plain;
	cleanup(world_free) struct world *w = NULL;
	struct peer_client owner = { 0 };
	struct peer_stream s = { 0 };
	struct world_client *client;

	(void)state;
	config.client = config.server = QUIC_SETTINGS_DEFAULT;
	config.client.keep_alive_ns = 25 * NSEC_PER_SEC;
	w = world_new(&config);
	start(w, &client, &owner, &s);
	world_run(w, NULL, NULL, 7 * 24 * 3600 * NSEC_PER_SEC);
	assert_false(owner.is_closed);
	assert_int_equal(quic_server_count(w->server), 1);
}

static void a_restarted_server_tells_its_old_clients_at_once(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct peer_client owner = { 0 };
	struct peer_stream s = { 0 };
	struct world_client *client;
	uint64_t asked;

	(void)state;
	start(w, &client, &owner, &s);
	world_restart_server(w);
	world_run(w, NULL, NULL, 3600 * NSEC_PER_SEC);
	assert_false(owner.is_closed);
	asked = w->now;
	peer_send(&s, 100);
	assert_true(world_run(w, peer_is_gone, &owner, NSEC_PER_SEC));
	assert_true(w->now - asked <= RTT);
	assert_int_equal(owner.why.kind, ERR_UNAVAILABLE);
	assert_string_equal(owner.why.text,
			    "the tunnel of the job was restarted; the session is gone");
	assert_true(s.closed && s.has_error);
	/* A new connection to the new server works. */
	s = (struct peer_stream){ 0 };
	owner = (struct peer_client){ 0 };
	start(w, &client, &owner, &s);
}

static void a_server_that_another_key_restarted_cannot_end_a_session(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct peer_client owner = { 0 };
	struct peer_stream s = { 0 };
	struct world_client *client;

	(void)state;
	start(w, &client, &owner, &s);
	assert_int_equal(key_random_secret(&w->reset_key, NULL), 0);
	world_restart_server(w);
	peer_send(&s, 100);
	world_run(w, NULL, NULL, 60 * NSEC_PER_SEC);
	assert_false(owner.is_closed);
}

/* What the server sends while the client sleeps must come as soon as it wakes and moves. */
static void wake_from(uint64_t sleep_ns, bool migrate, uint64_t limit_ns)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct peer_client owner = { 0 };
	struct peer_stream s = { 0 };
	struct world_client *client;
	uint64_t woke;
	struct err err;

	start(w, &client, &owner, &s);
	world_cut(client, true);
	peer_send(&s, 50000);
	world_run(w, NULL, NULL, sleep_ns);
	assert_int_equal(s.received, 100);
	assert_false(owner.is_closed);
	world_cut(client, false);
	woke = w->now;
	if (migrate)
		assert_int_equal(world_migrate(w, client, &err), 0);
	while (s.received < 50100 && w->now - woke < limit_ns)
		world_run(w, NULL, NULL, NSEC_PER_MSEC);
	assert_int_equal(s.received, 50100);
	assert_false(s.is_wrong);
}

static void after_a_minute_of_blackout_a_move_brings_the_data_at_once(void **state)
{
	(void)state;
	wake_from(60 * NSEC_PER_SEC, true, 10 * RTT);
}

static void after_eight_hours_of_sleep_too(void **state)
{
	(void)state;
	wake_from(8 * 3600 * NSEC_PER_SEC, true, 10 * RTT);
}

/* The job prints while the workstation sleeps: the server has timers that were doubled, too. */
static void output_of_the_job_comes_at_once_after_a_wake(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
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
	assert_true(w->now - woke < 500 * NSEC_PER_MSEC);
	assert_true(world_run(w, peer_is_closed, &down, 60 * NSEC_PER_SEC));
	assert_int_equal(down.received, 1000000);
	assert_false(down.is_wrong);
}

static void a_move_without_a_blackout_loses_nothing(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct peer_client owner = { 0 };
	struct peer_stream s = { 0 }, down = { .checks = true }, up = { .to_send = 20000000 };
	struct world_client *client;
	struct err err;

	(void)state;
	start(w, &client, &owner, &s);
	link_settings(client->down)->rate_bps = link_settings(client->up)->rate_bps = 100000000;
	peer_request(client, w, "/source/20000000", &down);
	peer_request(client, w, "/sink", &up);
	for (int i = 0; i < 5; i++) {
		world_run(w, NULL, NULL, 200 * NSEC_PER_MSEC);
		assert_int_equal(world_migrate(w, client, &err), 0);
	}
	assert_true(world_run(w, peer_is_closed, &down, 60 * NSEC_PER_SEC));
	assert_true(world_run(w, peer_is_closed, &up, 60 * NSEC_PER_SEC));
	assert_int_equal(down.received, 20000000);
	assert_false(down.is_wrong || down.has_error || up.has_error);
}

/*
 * Each move takes a connection id; when no answer brings new ones, it says so instead of breaking
 * anything.
 */
static void moves_without_an_answer_run_out_and_recover(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct peer_client owner = { 0 };
	struct peer_stream s = { 0 };
	struct world_client *client;
	struct err err;
	int moves = 0;

	(void)state;
	start(w, &client, &owner, &s);
	world_cut(client, true);
	while (moves < 20 && world_migrate(w, client, &err) == 0) {
		moves++;
		world_run(w, NULL, NULL, NSEC_PER_SEC);
	}
	assert_int_equal(moves, 7);
	assert_int_equal(err.kind, ERR_LIMIT);
	world_cut(client, false);
	peer_send(&s, 100);
	world_run(w, NULL, NULL, 60 * NSEC_PER_SEC);
	assert_int_equal(s.received, 200);
	assert_int_equal(world_migrate(w, client, &err), 0);
	peer_send(&s, 100);
	world_run(w, NULL, NULL, NSEC_PER_SEC);
	assert_int_equal(s.received, 300);
}

/* A NAT that forgets gives the client another address without its knowledge. */
static void a_move_that_the_client_does_not_know_of_is_followed(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct peer_client owner = { 0 };
	struct peer_stream s = { 0 };
	struct world_client *client;

	(void)state;
	start(w, &client, &owner, &s);
	w->nat_shift = 1;
	peer_send(&s, 5000);
	world_run(w, NULL, NULL, NSEC_PER_SEC);
	assert_int_equal(s.received, 5100);
	assert_false(owner.is_closed);
}

/*
 * A NAT that forgets, and a client that moves soon after: at each step the server takes one id of
 * the client's into use and gives one back, and it must never hold more of them than it allowed.
 */
static void moves_soon_after_moves_of_which_the_client_does_not_know_are_followed(void **state)
{
	static const uint64_t pauses[] = { 30 * NSEC_PER_MSEC, 100 * NSEC_PER_MSEC, NSEC_PER_SEC };

	(void)state;
	for (size_t i = 0; i < 5 * ARRAY_LEN(pauses); i++) {
		struct world_config config = { .link = plain.link, .seed = 1 + i };
		cleanup(world_free) struct world *w = world_new(&config);
		struct peer_client owner = { 0 };
		struct peer_stream s = { 0 };
		struct world_client *client;
		struct err err;

		start(w, &client, &owner, &s);
		link_settings(client->up)->loss = i % 5 ? 0.1 : 0;
		link_settings(client->down)->loss = i % 5 ? 0.1 : 0;
		for (int step = 0; step < 5; step++) {
			w->nat_shift++;
			peer_send(&s, 5000);
			world_run(w, NULL, NULL, pauses[i / 5]);
			assert_int_equal(world_migrate(w, client, &err), 0);
			peer_send(&s, 5000);
			world_run(w, NULL, NULL, 2 * NSEC_PER_SEC);
			assert_false(owner.is_closed);
		}
		world_run(w, NULL, NULL, 10 * NSEC_PER_SEC);
		assert_int_equal(s.received, 50100);
		assert_false(owner.is_closed || s.is_wrong);
	}
}

/* Each address takes an id, also one that was used before; all come back. */
static void a_nat_that_wavers_between_two_addresses_is_followed(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct peer_client owner = { 0 };
	struct peer_stream s = { 0 };
	struct world_client *client;

	(void)state;
	start(w, &client, &owner, &s);
	for (int i = 0; i < 40; i++) {
		w->nat_shift ^= 1;
		peer_send(&s, 1000);
		world_run(w, NULL, NULL, i < 20 ? NSEC_PER_SEC / 2 : 5 * NSEC_PER_SEC);
		assert_int_equal(s.received, 100 + 1000 * (i + 1));
	}
	assert_false(owner.is_closed || s.is_wrong);
}

/* It replaces no ids: the server uses up all that it has, and must still follow. */
static void a_client_that_hears_nothing_is_followed_when_its_ids_are_used_up(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct peer_client owner = { 0 };
	struct peer_stream s = { 0 };
	struct world_client *client;
	struct err err;

	(void)state;
	start(w, &client, &owner, &s);
	link_settings(client->down)->is_cut = true;
	for (int i = 0; i < 12; i++) {
		if (i % 2)
			w->nat_shift++;
		else
			(void)!world_migrate(w, client, &err);
		peer_send(&s, 100);
		world_run(w, NULL, NULL, 5 * NSEC_PER_SEC);
	}
	w->nat_shift++;
	link_settings(client->down)->is_cut = false;
	for (int i = 0; i < 20 && s.received == 100; i++) {
		quic_conn_probe(h3_conn_quic(client->h3));
		world_run(w, NULL, NULL, 3 * NSEC_PER_SEC);
	}
	world_run(w, NULL, NULL, 10 * NSEC_PER_SEC);
	assert_int_equal(s.received, 1300);
	assert_false(owner.is_closed || s.is_wrong);
}

static void a_move_before_the_handshake_is_refused(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct world_client *client = world_connect(w, &peer_client_ops, NULL);
	struct err err;

	(void)state;
	assert_int_equal(world_migrate(w, client, &err), -1);
	assert_int_equal(err.kind, ERR_UNAVAILABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_close_reaches_the_other_side),
		cmocka_unit_test(a_close_says_why),
		cmocka_unit_test(a_close_is_said_twice),
		cmocka_unit_test(a_silent_connection_ends_after_the_idle_timeout),
		cmocka_unit_test(keep_alives_hold_an_idle_connection),
		cmocka_unit_test(a_week_without_a_word_ends_nothing),
		cmocka_unit_test(a_restarted_server_tells_its_old_clients_at_once),
		cmocka_unit_test(a_server_that_another_key_restarted_cannot_end_a_session),
		cmocka_unit_test(after_a_minute_of_blackout_a_move_brings_the_data_at_once),
		cmocka_unit_test(after_eight_hours_of_sleep_too),
		cmocka_unit_test(output_of_the_job_comes_at_once_after_a_wake),
		cmocka_unit_test(a_move_without_a_blackout_loses_nothing),
		cmocka_unit_test(moves_without_an_answer_run_out_and_recover),
		cmocka_unit_test(a_move_that_the_client_does_not_know_of_is_followed),
		cmocka_unit_test(
			moves_soon_after_moves_of_which_the_client_does_not_know_are_followed),
		cmocka_unit_test(a_nat_that_wavers_between_two_addresses_is_followed),
		cmocka_unit_test(a_client_that_hears_nothing_is_followed_when_its_ids_are_used_up),
		cmocka_unit_test(a_move_before_the_handshake_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
