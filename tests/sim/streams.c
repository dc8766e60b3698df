/* SPDX-License-Identifier: MIT */
/* Many streams on one connection, and what one of them may do to the others: nothing. */
#include "tests/sim/sim.h"

#include <inttypes.h>

#define MIB (UINT64_C(1) << 20)

static const struct world_config plain = { .link = { .delay_ns = 10 * NSEC_PER_MSEC } };

#define PARALLEL 200

static bool all_closed(const void *arg)
{
	const struct peer_stream *streams = arg;

	for (size_t i = 0; i < PARALLEL; i++)
		if (!streams[i].closed)
			return false;
	return true;
}

static void two_hundred_streams_run_in_parallel(void **state)
{
	cleanup(world_free) struct world *w = world_new(
		&(struct world_config){ .link = { .delay_ns = 10 * NSEC_PER_MSEC, .loss = 0.01 } });
	static struct peer_stream streams[PARALLEL];
	struct world_client *client = world_connect(w, &peer_client_ops, NULL);

	(void)state;
	for (size_t i = 0; i < PARALLEL; i++) {
		streams[i] = (struct peer_stream){ .to_send = 10000 + i, .checks = true };
		peer_request(client, w, "/echo", &streams[i]);
	}
	assert_true(world_run(w, all_closed, streams, 60 * NSEC_PER_SEC));
	for (size_t i = 0; i < PARALLEL; i++) {
		assert_int_equal(streams[i].status, 200);
		assert_int_equal(streams[i].received, 10000 + i);
		assert_false(streams[i].is_wrong || streams[i].has_error);
	}
}

/*
 * More than may be open at once: the rest wait their turn, also across several credits of the
 * server.
 */
static void requests_beyond_the_limit_wait_their_turn(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	static struct peer_stream streams[H3_STREAMS_MAX + 500];
	struct world_client *client = world_connect(w, &peer_client_ops, NULL);
	struct peer_client owner = { 0 };

	(void)state;
	(void)owner;
	for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
		streams[i] = (struct peer_stream){ .to_send = 1 };
		if (i == H3_STREAMS_MAX)
			world_run(w, NULL, NULL, 15 * NSEC_PER_MSEC);
		peer_request(client, w, "/echo", &streams[i]);
		if (i == H3_STREAMS_MAX - 1)
			world_run(w, NULL, NULL, 25 * NSEC_PER_MSEC);
	}
	for (size_t i = 0; i < ARRAY_LEN(streams); i++) {
		assert_true(world_run(w, peer_is_closed, &streams[i], 60 * NSEC_PER_SEC));
		assert_int_equal(streams[i].received, 1);
	}
}

static void a_request_that_can_never_wait_its_turn_is_refused(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	const struct h3_request request = { .method = "GET", .authority = "job", .path = "/info" };
	static const struct h3_stream_ops ops = { 0 };
	struct world_client *client = world_connect(w, &peer_client_ops, NULL);
	struct h3_stream *stream;
	struct err err;

	(void)state;
	for (size_t i = 0; i < H3_STREAMS_MAX; i++)
		assert_int_equal(h3_conn_request(client->h3, &request, &ops, NULL, &stream, &err),
				 0);
	assert_int_equal(h3_conn_request(client->h3, &request, &ops, NULL, &stream, &err), -1);
	assert_int_equal(err.kind, ERR_LIMIT);
}

static void a_receiver_that_does_not_consume_stops_the_sender(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct peer_stream up = { .to_send = 64 * MIB }, down = { .hold = true, .checks = true };
	struct world_client *client = world_connect(w, &peer_client_ops, NULL);

	(void)state;
	peer_request(client, w, "/hold", &up);
	peer_request(client, w, "/source/67108864", &down);
	world_run(w, NULL, NULL, 60 * NSEC_PER_SEC);
	/* The first credit, what waits to be sent, and one frame that was begun. */
	assert_true(up.sent >= MIB);
	assert_true(up.sent <= MIB + 2 * H3_SEND_MAX + 64 * 1024);
	assert_true(down.received >= MIB - 64 * 1024 && down.received <= MIB);
	assert_false(up.closed || down.closed);
}

static void one_that_is_stopped_does_not_stop_the_others(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct peer_stream stuck[20], s = { .checks = true };
	struct world_client *client = world_connect(w, &peer_client_ops, NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(stuck); i++) {
		stuck[i] = (struct peer_stream){ .hold = true };
		peer_request(client, w, "/source/67108864", &stuck[i]);
	}
	world_run(w, NULL, NULL, 10 * NSEC_PER_SEC);
	peer_request(client, w, "/source/50000000", &s);
	assert_true(world_run(w, peer_is_closed, &s, 60 * NSEC_PER_SEC));
	assert_int_equal(s.received, 50000000);
	assert_false(s.is_wrong);
}

static void a_stopped_stream_goes_on_when_its_receiver_does(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct peer_stream s = { .hold = true, .checks = true };
	struct world_client *client = world_connect(w, &peer_client_ops, NULL);

	(void)state;
	peer_request(client, w, "/source/10000000", &s);
	world_run(w, NULL, NULL, 10 * NSEC_PER_SEC);
	assert_true(s.received < 2 * MIB);
	s.hold = false;
	h3_stream_consumed(s.stream, s.received);
	assert_true(world_run(w, peer_is_closed, &s, 60 * NSEC_PER_SEC));
	assert_int_equal(s.received, 10000000);
	assert_false(s.is_wrong || s.has_error);
}

static void either_side_may_end_first(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct peer_stream sink = { .to_send = 1000 },
			   source = { .keep_open = true, .to_send = 10 };
	struct world_client *client = world_connect(w, &peer_client_ops, NULL);

	(void)state;
	/* The client ends, the server answers afterwards. */
	peer_request(client, w, "/sink", &sink);
	assert_true(world_run(w, peer_is_closed, &sink, NSEC_PER_SEC));
	assert_true(sink.ended && !sink.has_error);
	assert_true(strncmp(sink.text, "1000 ", 5) == 0);
	/* The server ends, the client goes on sending and ends later. */
	peer_request(client, w, "/source/100", &source);
	world_run(w, NULL, NULL, NSEC_PER_SEC);
	assert_true(source.ended && !source.closed);
	peer_send(&source, 5000);
	world_run(w, NULL, NULL, NSEC_PER_SEC);
	assert_false(source.closed);
	source.keep_open = false;
	peer_send(&source, 0);
	assert_true(world_run(w, peer_is_closed, &source, NSEC_PER_SEC));
	assert_false(source.has_error);
	assert_int_equal(source.received, 100);
}

static void body_that_comes_before_anyone_takes_it_is_kept(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct peer_stream s = { .to_send = 300000, .checks = true };
	struct world_client *client = world_connect(w, &peer_client_ops, NULL);

	(void)state;
	peer_request(client, w, "/late", &s);
	world_run(w, NULL, NULL, 2 * NSEC_PER_SEC);
	assert_int_equal(s.status, 0);
	peer_release_late();
	assert_true(world_run(w, peer_is_closed, &s, 10 * NSEC_PER_SEC));
	assert_int_equal(s.received, 300000);
	assert_false(s.is_wrong || s.has_error);
}

static void a_refused_upload_is_answered_and_ends(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct peer_stream s = { .to_send = 64 * MIB };
	struct world_client *client = world_connect(w, &peer_client_ops, NULL);

	(void)state;
	peer_request(client, w, "/refuse", &s);
	assert_true(world_run(w, peer_is_closed, &s, 10 * NSEC_PER_SEC));
	assert_int_equal(s.status, 403);
	assert_string_equal(s.text, "this path is refused\n");
	assert_true(s.ended);
	assert_false(s.has_error);
}

static void a_reset_reaches_the_other_side(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct peer_stream s = { .to_send = 64 * MIB, .keep_open = true };
	struct world_client *client = world_connect(w, &peer_client_ops, NULL);

	(void)state;
	peer_request(client, w, "/echo", &s);
	world_run(w, NULL, NULL, 200 * NSEC_PER_MSEC);
	assert_true(s.received > 0);
	h3_stream_reset(s.stream);
	assert_true(world_run(w, peer_is_closed, &s, NSEC_PER_SEC));
	assert_true(s.has_error);
	assert_string_equal(s.why.text, "cancelled");
}

static void a_request_may_be_given_up_before_the_handshake(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct peer_stream s = { .to_send = 10, .keep_open = true }, t = { .to_send = 10 };
	struct world_client *client = world_connect(w, &peer_client_ops, NULL);

	(void)state;
	peer_request(client, w, "/echo", &s);
	peer_request(client, w, "/echo", &t);
	h3_stream_reset(s.stream);
	assert_true(world_run(w, peer_is_closed, &s, NSEC_PER_SEC));
	assert_true(s.has_error);
	assert_true(world_run(w, peer_is_closed, &t, NSEC_PER_SEC));
	assert_int_equal(t.received, 10);
}

/* What a keystroke waits while bulk data fills the same connection. */
static void a_small_message_is_not_stuck_behind_bulk_data(void **state)
{
	cleanup(world_free) struct world *w =
		world_new(&(struct world_config){ .link = { .delay_ns = 10 * NSEC_PER_MSEC,
							    .rate_bps = UINT64_C(100000000),
							    .queue_max = 250 * 1000 } });
	struct peer_stream bulk = { .to_send = 1000 * MIB }, key = { .keep_open = true };
	struct world_client *client = world_connect(w, &peer_client_ops, NULL);
	uint64_t asked;
	size_t late = 0;

	(void)state;
	peer_request(client, w, "/sink", &bulk);
	peer_request(client, w, "/echo", &key);
	world_run(w, NULL, NULL, 5 * NSEC_PER_SEC);
	for (uint64_t i = 1; i <= 20; i++) {
		asked = w->now;
		peer_send(&key, 1);
		while (key.received < i && w->now - asked < NSEC_PER_SEC)
			world_run(w, NULL, NULL, NSEC_PER_MSEC);
		/*
		 * The round trip, and the queue that bulk data keeps on the link: at most as long
		 * again.
		 */
		late += w->now - asked > 45 * NSEC_PER_MSEC;
		assert_true(w->now - asked < 250 * NSEC_PER_MSEC);
	}
	/* Now and then one is lost, because bulk data made the queue overflow. */
	assert_true(late <= 5);
}

/* A pacing timer for every keystroke would wake both programs for nothing. */
static void a_stream_that_is_written_now_and_then_sets_no_short_timers(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct peer_stream s = { .keep_open = true };
	struct world_client *client = world_connect(w, &peer_client_ops, NULL);

	(void)state;
	peer_request(client, w, "/echo", &s);
	world_run(w, NULL, NULL, 10 * NSEC_PER_SEC);
	for (int i = 0; i < 50; i++) {
		peer_send(&s, 3000);
		world_run(w, NULL, NULL, 0);
		assert_true(quic_conn_deadline(h3_conn_quic(client->h3)) - w->now >=
			    20 * NSEC_PER_MSEC);
		world_run(w, NULL, NULL, NSEC_PER_SEC / 3);
		assert_int_equal(s.received, s.to_send);
	}
}

/* The direction in which data flows: the client's scheduler, or the server's. */
static void share(bool up)
{
	cleanup(world_free) struct world *w =
		world_new(&(struct world_config){ .link = { .delay_ns = 10 * NSEC_PER_MSEC,
							    .rate_bps = UINT64_C(100000000),
							    .queue_max = 250 * 1000 } });
	struct peer_stream bulk[4], key = { .keep_open = true };
	struct world_client *client = world_connect(w, &peer_client_ops, NULL);
	uint64_t least = UINT64_MAX, most = 0, asked;
	size_t late = 0;

	for (size_t i = 0; i < ARRAY_LEN(bulk); i++) {
		bulk[i] = (struct peer_stream){ .to_send = up ? 1000 * MIB : 0 };
		peer_request(client, w, up ? "/sink" : "/source/1000000000", &bulk[i]);
	}
	peer_request(client, w, "/echo", &key);
	world_run(w, NULL, NULL, 20 * NSEC_PER_SEC);
	for (size_t i = 0; i < ARRAY_LEN(bulk); i++) {
		least = MIN(least, up ? bulk[i].sent : bulk[i].received);
		most = MAX(most, up ? bulk[i].sent : bulk[i].received);
	}
	assert_true(most > 20 * MIB);
	assert_true(least > most * 8 / 10);
	for (uint64_t i = 1; i <= 20; i++) {
		asked = w->now;
		peer_send(&key, 1);
		while (key.received < i && w->now - asked < NSEC_PER_SEC)
			world_run(w, NULL, NULL, NSEC_PER_MSEC);
		late += w->now - asked > 45 * NSEC_PER_MSEC;
		assert_true(w->now - asked < 250 * NSEC_PER_MSEC);
	}
	assert_true(late <= 5);
}

static void streams_to_the_server_share_the_link(void **state)
{
	(void)state;
	share(true);
}

static void streams_from_the_server_share_the_link(void **state)
{
	(void)state;
	share(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_hundred_streams_run_in_parallel),
		cmocka_unit_test(requests_beyond_the_limit_wait_their_turn),
		cmocka_unit_test(a_request_that_can_never_wait_its_turn_is_refused),
		cmocka_unit_test(a_receiver_that_does_not_consume_stops_the_sender),
		cmocka_unit_test(one_that_is_stopped_does_not_stop_the_others),
		cmocka_unit_test(a_stopped_stream_goes_on_when_its_receiver_does),
		cmocka_unit_test(either_side_may_end_first),
		cmocka_unit_test(body_that_comes_before_anyone_takes_it_is_kept),
		cmocka_unit_test(a_refused_upload_is_answered_and_ends),
		cmocka_unit_test(a_reset_reaches_the_other_side),
		cmocka_unit_test(a_request_may_be_given_up_before_the_handshake),
		cmocka_unit_test(a_small_message_is_not_stuck_behind_bulk_data),
		cmocka_unit_test(a_stream_that_is_written_now_and_then_sets_no_short_timers),
		cmocka_unit_test(streams_to_the_server_share_the_link),
		cmocka_unit_test(streams_from_the_server_share_the_link),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
