/* SPDX-License-Identifier: MIT */
/* Handshakes in virtual time: how long they take, and who is refused with what words. */
#include "tests/sim/sim.h"

#define RTT (50 * NSEC_PER_MSEC)

static const struct link_settings plain = { .delay_ns = RTT / 2 };

static double round_trips(const struct world *world, uint64_t at)
{
	(void)world;
	return (double)(at - WORLD_START) / (double)RTT;
}

static void a_request_is_answered_after_two_round_trips(void **state)
{
	cleanup(world_free) struct world *w = world_new(&(struct world_config){ .link = plain });
	struct peer_client owner = { .world = w };
	struct peer_stream s = { .to_send = 10, .checks = true };
	struct world_client *client = world_connect(w, &peer_client_ops, &owner);

	(void)state;
	peer_request(client, w, "/echo", &s);
	assert_true(world_run(w, peer_is_closed, &s, 10 * NSEC_PER_SEC));
	assert_false(s.has_error);
	assert_int_equal(s.status, 200);
	assert_int_equal(s.received, 10);
	assert_false(s.is_wrong);
	assert_float_equal(round_trips(w, owner.ready_at), 1.0, 0.001);
	assert_float_equal(round_trips(w, s.answered_at), 2.0, 0.001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_answered_after_two_round_trips),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
