/* SPDX-License-Identifier: MIT */
/*
 * Paths whose MTU shrinks in the middle of a transfer, and nobody is told (RFC 8899 section 4.3):
 * what is larger is lost, what is smaller goes on.
 */
#include "tests/sim/sim.h"

#define MIB (UINT64_C(1) << 20)
#define COUNT (64 * MIB)

#define ETHERNET 1472 /* what 1500 bytes leave of a datagram */
#define TUNNEL 1400
#define NARROW 1252

static const struct link_settings wan = {
	.delay_ns = 10 * NSEC_PER_MSEC,
	.rate_bps = UINT64_C(100000000),
	.queue_max = 500000,
	.datagram_max = ETHERNET,
};

/* A transfer there and back, and a keystroke now and then. */
struct session {
	struct world *w;
	struct world_client *client;
	struct peer_client owner;
	struct peer_stream keys, bulk;
	uint64_t goal;
	size_t size;
};

static size_t size_of_client(const struct session *s)
{
	struct quic_stats stats;

	quic_conn_stats(h3_conn_quic(s->client->h3), &stats);
	return stats.datagram;
}

static void begin(struct session *s, const struct link_settings *link, uint64_t seed)
{
	*s = (struct session){
		.w = world_new(&(struct world_config){ .link = *link, .seed = seed }),
		.keys = { .keep_open = true, .checks = true, .urgency = H3_URGENCY_TYPED },
		.bulk = { .to_send = COUNT, .checks = true },
	};
	s->client = world_connect(s->w, &peer_client_ops, &s->owner);
	peer_request(s->client, s->w, "/echo", &s->keys);
	peer_request(s->client, s->w, "/echo", &s->bulk);
	world_run(s->w, NULL, NULL, NSEC_PER_SEC);
	assert_true(s->bulk.received > 0 && s->bulk.received < COUNT);
	assert_int_equal(size_of_client(s), 1452);
}

static void end(struct session *s)
{
	assert_false(s->owner.is_closed);
	assert_false(s->keys.is_wrong || s->bulk.is_wrong || s->bulk.has_error);
	s->w = world_free(s->w);
}

static void carry(struct session *s, size_t up, size_t down)
{
	link_settings(s->client->up)->datagram_max = up;
	link_settings(s->client->down)->datagram_max = down;
}

static bool has_come(const void *arg)
{
	const struct session *s = arg;

	return s->bulk.received >= s->goal;
}

/* More than was under way. Types meanwhile, so that the peer is never silent. */
static void assert_goes_on(struct session *s, uint64_t limit_ns)
{
	uint64_t until = s->w->now + limit_ns;

	s->goal = s->bulk.received + MIB;
	while (!has_come(s)) {
		assert_true(s->w->now < until);
		peer_send(&s->keys, 1);
		world_run(s->w, has_come, s, 300 * NSEC_PER_MSEC);
	}
}

/* By the sizes that are carried to the job and from it. Mostly it takes a second. */
static void go_on(double loss, uint64_t limit_ns)
{
	static const size_t carried[][2] = { { NARROW, ETHERNET },
					     { ETHERNET, NARROW },
					     { NARROW, NARROW } };

	for (size_t i = 0; i < ARRAY_LEN(carried); i++) {
		struct link_settings link = wan;
		struct session s;

		link.loss = loss;
		begin(&s, &link, 1 + i);
		carry(&s, carried[i][0], carried[i][1]);
		assert_goes_on(&s, limit_ns);
		end(&s);
	}
}

static void a_transfer_goes_on_in_packets_that_the_path_still_carries(void **state)
{
	(void)state;
	go_on(0, 5 * NSEC_PER_SEC);
}

static void it_goes_on_where_the_path_loses_some_of_these_too(void **state)
{
	(void)state;
	go_on(0.03, 20 * NSEC_PER_SEC);
}

static void it_goes_on_without_a_word_from_the_peer(void **state)
{
	struct session s;

	(void)state;
	begin(&s, &wan, 4);
	carry(&s, NARROW, NARROW);
	s.goal = s.bulk.received + MIB;
	assert_true(world_run(s.w, has_come, &s, 5 * NSEC_PER_SEC));
	end(&s);
}

static bool has_size(const void *arg)
{
	const struct session *s = arg;

	return size_of_client(s) == s->size;
}

static void assert_finds(struct session *s, size_t size)
{
	s->size = size;
	assert_true(world_run(s->w, has_size, s, 25 * NSEC_PER_SEC));
}

static void begin_slowly(struct session *s)
{
	struct link_settings link = wan;

	link.rate_bps = 5000000;
	begin(s, &link, 5);
}

static void what_the_path_still_carries_is_found(void **state)
{
	struct session s;

	(void)state;
	begin_slowly(&s);
	carry(&s, TUNNEL, ETHERNET);
	assert_finds(&s, 1200);
	assert_finds(&s, 1392);
	/* What is tried beyond that is lost, and nothing else is. */
	s.size = 1452;
	assert_false(world_run(s.w, has_size, &s, 12 * NSEC_PER_SEC));
	assert_int_equal(size_of_client(&s), 1392);
	carry(&s, ETHERNET, ETHERNET);
	assert_finds(&s, 1452);
	end(&s);
}

static void a_network_that_was_gone_for_seconds_carries_what_it_did(void **state)
{
	struct session s;

	(void)state;
	begin_slowly(&s);
	world_cut(s.client, true);
	world_run(s.w, NULL, NULL, 4 * NSEC_PER_SEC);
	assert_int_equal(size_of_client(&s), 1200);
	world_cut(s.client, false);
	assert_finds(&s, 1452);
	end(&s);
}

/* Hours of typing, and a transfer that was given up: no cause to send less at a time. */
static void typing_after_a_transfer_is_no_black_hole(void **state)
{
	struct session s;

	(void)state;
	begin(&s, &wan, 6);
	h3_stream_reset(s.bulk.stream);
	for (size_t i = 0; i < 200; i++) {
		peer_send(&s.keys, 1);
		world_run(s.w, NULL, NULL, (i % 7 ? 90 : 9000) * NSEC_PER_MSEC);
		assert_int_equal(size_of_client(&s), 1452);
	}
	s.w = world_free(s.w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_transfer_goes_on_in_packets_that_the_path_still_carries),
		cmocka_unit_test(it_goes_on_where_the_path_loses_some_of_these_too),
		cmocka_unit_test(it_goes_on_without_a_word_from_the_peer),
		cmocka_unit_test(what_the_path_still_carries_is_found),
		cmocka_unit_test(a_network_that_was_gone_for_seconds_carries_what_it_did),
		cmocka_unit_test(typing_after_a_transfer_is_no_black_hole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
