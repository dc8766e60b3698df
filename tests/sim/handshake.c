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

static void a_refusal_comes_as_fast_and_says_why(void **state)
{
	cleanup(world_free) struct world *w = world_new(&(struct world_config){ .link = plain });
	struct peer_stream s = { .to_send = 0 };
	struct world_client *client = world_connect(w, &peer_client_ops, NULL);

	(void)state;
	peer_request(client, w, "/refuse", &s);
	assert_true(world_run(w, peer_is_closed, &s, 10 * NSEC_PER_SEC));
	assert_int_equal(s.status, 403);
	assert_string_equal(s.text, "this path is refused\n");
	assert_float_equal(round_trips(w, s.answered_at), 2.0, 0.001);
}

static void both_sides_export_the_same_secret(void **state)
{
	cleanup(world_free) struct world *w = world_new(&(struct world_config){ .link = plain });
	struct peer_client owner = { 0 };
	struct world_client *client = world_connect(w, &peer_client_ops, &owner);
	struct secret a, b;

	(void)state;
	assert_int_equal(quic_conn_export(h3_conn_quic(client->h3), "EXPORTER-test", &a, NULL), -1);
	assert_true(world_run(w, peer_is_ready, &owner, NSEC_PER_SEC));
	world_run(w, NULL, NULL, NSEC_PER_SEC);
	assert_int_equal(quic_conn_export(h3_conn_quic(client->h3), "EXPORTER-test", &a, NULL), 0);
	assert_int_equal(quic_conn_export(h3_conn_quic(w->accepted[0]), "EXPORTER-test", &b, NULL),
			 0);
	assert_true(secret_equal(&a, &b));
}

static void a_client_refuses_a_server_with_another_key(void **state)
{
	cleanup(world_free) struct world *w =
		world_new(&(struct world_config){ .link = plain, .client_expects_other = true });
	struct peer_client owner = { 0 };
	struct peer_stream s = { .to_send = 10 };
	struct world_client *client = world_connect(w, &peer_client_ops, &owner);

	(void)state;
	peer_request(client, w, "/echo", &s);
	assert_true(world_run(w, peer_is_gone, &owner, 10 * NSEC_PER_SEC));
	assert_string_equal(owner.why.text, "the job's key is not the expected one");
	assert_int_equal(owner.why.kind, ERR_DENIED);
	assert_false(owner.is_ready);
	assert_true(s.closed && s.has_error);
	assert_int_equal(s.status, 0);
	world_run(w, NULL, NULL, NSEC_PER_SEC);
	assert_string_equal(w->server_why.text, "the client does not accept this job's key");
}

static void a_server_refuses_a_client_with_another_key(void **state)
{
	cleanup(world_free) struct world *w =
		world_new(&(struct world_config){ .link = plain, .server_expects_other = true });
	struct peer_client owner = { 0 };
	struct peer_stream s = { .to_send = 10 };
	struct world_client *client = world_connect(w, &peer_client_ops, &owner);

	(void)state;
	peer_request(client, w, "/echo", &s);
	assert_true(world_run(w, peer_is_gone, &owner, 10 * NSEC_PER_SEC));
	assert_string_equal(owner.why.text, "the job does not accept this key");
	assert_int_equal(owner.why.kind, ERR_DENIED);
	assert_int_equal(s.status, 0);
	assert_float_equal(round_trips(w, w->now), 2.0, 0.001);
	world_run(w, NULL, NULL, NSEC_PER_SEC);
	assert_string_equal(w->server_why.text, "the client's key is not the expected one");
	assert_int_equal(quic_server_count(w->server), 0);
}

static void a_handshake_without_an_answer_ends_after_ten_seconds(void **state)
{
	cleanup(world_free) struct world *w =
		world_new(&(struct world_config){ .link = { .is_cut = true } });
	struct peer_client owner = { 0 };

	(void)state;
	world_connect(w, &peer_client_ops, &owner);
	assert_true(world_run(w, peer_is_gone, &owner, 60 * NSEC_PER_SEC));
	assert_string_equal(owner.why.text, "no answer within 10 s");
	assert_int_equal(owner.why.kind, ERR_TIMEOUT);
	assert_int_equal(w->now, WORLD_START + 10 * NSEC_PER_SEC);
}

#define CROWD 64

static bool all_ready(const void *arg)
{
	const struct peer_client *owners = arg;

	for (size_t i = 0; i < CROWD; i++)
		if (!owners[i].is_ready)
			return false;
	return true;
}

static void many_handshakes_at_once_succeed_with_the_help_of_retry(void **state)
{
	cleanup(world_free) struct world *w = world_new(&(struct world_config){ .link = plain });
	struct peer_client owners[CROWD] = { 0 };
	size_t retried = 0;

	(void)state;
	assert_true(CROWD > QUIC_SERVER_HANDSHAKES_MAX);
	for (size_t i = 0; i < CROWD; i++) {
		owners[i].world = w;
		world_connect(w, &peer_client_ops, &owners[i]);
	}
	assert_true(world_run(w, all_ready, owners, 10 * NSEC_PER_SEC));
	for (size_t i = 0; i < CROWD; i++)
		retried += round_trips(w, owners[i].ready_at) > 1.9;
	assert_int_equal(retried, CROWD - QUIC_SERVER_HANDSHAKES_MAX);
	world_run(w, NULL, NULL, NSEC_PER_SEC);
	assert_int_equal(quic_server_count(w->server), CROWD);
	assert_int_equal(quic_server_handshakes(w->server), 0);
}

static void a_client_too_many_is_told_so(void **state)
{
	cleanup(world_free) struct world *w = world_new(&(struct world_config){ .link = plain });
	struct peer_client owner = { 0 }, last = { .world = w };
	struct world_client *first = world_connect(w, &peer_client_ops, NULL);

	(void)state;
	for (size_t i = 1; i < QUIC_SERVER_CONNS_MAX; i++) {
		world_connect(w, &peer_client_ops, NULL);
		if (i % 16 == 0)
			world_run(w, NULL, NULL, 4 * RTT);
	}
	world_run(w, NULL, NULL, NSEC_PER_SEC);
	assert_int_equal(quic_server_count(w->server), QUIC_SERVER_CONNS_MAX);
	world_connect(w, &peer_client_ops, &owner);
	assert_true(world_run(w, peer_is_gone, &owner, NSEC_PER_SEC));
	assert_int_equal(owner.why.kind, ERR_LIMIT);
	assert_string_equal(owner.why.text, "the job takes no more connections");
	/* When one leaves, another may come. */
	h3_conn_close(first->h3);
	world_run(w, NULL, NULL, NSEC_PER_SEC);
	world_connect(w, &peer_client_ops, &last);
	assert_true(world_run(w, peer_is_ready, &last, NSEC_PER_SEC));
}

static void handshakes_survive_loss_duplicates_and_disorder(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 40; seed++) {
		cleanup(world_free) struct world *w = world_new(&(struct world_config){
			.link = { .delay_ns = RTT / 2,
				  .loss = 0.1,
				  .duplicate = 0.1,
				  .corrupt = 0.02,
				  .reorder = 0.2,
				  .reorder_delay_ns = 20 * NSEC_PER_MSEC },
			.seed = seed,
		});
		struct peer_stream s = { .to_send = 1000, .checks = true };

		peer_request(world_connect(w, &peer_client_ops, NULL), w, "/echo", &s);
		assert_true(world_run(w, peer_is_closed, &s, 20 * NSEC_PER_SEC));
		assert_false(s.has_error);
		assert_int_equal(s.received, 1000);
	}
}

/* RFC 9000 section 8.1. */
static void an_address_that_answers_nothing_gets_at_most_three_times_what_it_sent(void **state)
{
	cleanup(world_free) struct world *w = world_new(&(struct world_config){ .link = plain });
	struct world_client *client = world_connect(w, &peer_client_ops, NULL);

	(void)state;
	link_settings(client->down)->is_cut = true;
	world_run(w, NULL, NULL, RTT);
	link_settings(client->up)->is_cut = true;
	world_run(w, NULL, NULL, 30 * NSEC_PER_SEC);
	assert_true(link_stats(client->down)->sent > 0);
	assert_true(link_stats(client->down)->bytes <= 3 * 2 * 1200);
	assert_int_equal(quic_server_count(w->server), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_answered_after_two_round_trips),
		cmocka_unit_test(a_refusal_comes_as_fast_and_says_why),
		cmocka_unit_test(both_sides_export_the_same_secret),
		cmocka_unit_test(a_client_refuses_a_server_with_another_key),
		cmocka_unit_test(a_server_refuses_a_client_with_another_key),
		cmocka_unit_test(a_handshake_without_an_answer_ends_after_ten_seconds),
		cmocka_unit_test(many_handshakes_at_once_succeed_with_the_help_of_retry),
		cmocka_unit_test(a_client_too_many_is_told_so),
		cmocka_unit_test(handshakes_survive_loss_duplicates_and_disorder),
		cmocka_unit_test(
			an_address_that_answers_nothing_gets_at_most_three_times_what_it_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
