/* SPDX-License-Identifier: MIT */
/* Requests that wait until somebody agreed to the connection, and keys that are good no more. */
#include "tests/sim/sim.h"

#define DELAY (10 * NSEC_PER_MSEC)
#define LONG (10 * NSEC_PER_SEC)
#define STREAMS 20

static size_t waiting;

static void on_waits(struct h3_conn *conn, void *owner)
{
	(void)conn;
	(void)owner;
	waiting++;
}

static struct world *make_world(void)
{
	static struct h3_conn_ops ops;
	const struct world_config config = { .link = { .delay_ns = DELAY },
					     .server_ops = &ops,
					     .defers = true };
	struct world *w;

	ops = peer_server_ops;
	ops.waits = on_waits;
	waiting = 0;
	w = world_new(&config);
	w->config.server_owner = w;
	return w;
}

static void ask(struct world *w, struct world_client *client, struct peer_stream s[STREAMS])
{
	for (size_t i = 0; i < STREAMS; i++) {
		s[i] = (struct peer_stream){ .to_send = 3000 + i, .checks = true };
		peer_request(client, w, "/echo", &s[i]);
	}
}

static void assert_answered(struct world *w, struct peer_stream s[STREAMS])
{
	for (size_t i = 0; i < STREAMS; i++) {
		assert_true(world_run(w, peer_is_closed, &s[i], LONG));
		assert_int_equal(s[i].received, 3000 + i);
		assert_false(s[i].has_error || s[i].is_wrong);
	}
	assert_int_equal(w->requests, STREAMS);
}

static void requests_wait_with_their_bodies_until_the_connection_is_admitted(void **state)
{
	cleanup(world_free) struct world *w = make_world();
	struct peer_client owner = { 0 };
	struct peer_stream s[STREAMS];

	(void)state;
	ask(w, world_connect(w, &peer_client_ops, &owner), s);
	world_run(w, NULL, NULL, NSEC_PER_SEC);
	assert_int_equal(waiting, STREAMS);
	assert_int_equal(w->requests, 0);
	h3_conn_admit(w->accepted[0]);
	assert_answered(w, s);
}

static void early_requests_wait_too_and_later_ones_do_not(void **state)
{
	cleanup(world_free) struct world *w = make_world();
	struct peer_client owner = { 0 };
	struct world_ticket ticket = { 0 };
	struct peer_stream s[STREAMS], late = { .to_send = 10 };
	struct world_client *client;

	(void)state;
	w->config.defers = false;
	peer_get_ticket(w, &ticket);
	w->config.defers = true;
	client = world_resume(w, &peer_client_ops, &owner, &ticket.ticket);
	ask(w, client, s);
	/* The first flight arrived, its answer did not yet. */
	world_run(w, NULL, NULL, DELAY + DELAY / 2);
	assert_true(waiting > 0);
	assert_false(owner.is_ready);
	assert_int_equal(w->requests, 0);
	h3_conn_admit(w->accepted[w->accepted_count - 1]);
	assert_answered(w, s);
	waiting = 0;
	peer_request(client, w, "/echo", &late);
	assert_true(world_run(w, peer_is_closed, &late, LONG));
	assert_int_equal(waiting, 0);
	assert_false(late.has_error);
}

static void a_request_that_was_given_up_while_it_waited_is_never_told(void **state)
{
	cleanup(world_free) struct world *w = make_world();
	struct peer_client owner = { 0 };
	struct peer_stream kept = { .to_send = 10 }, gone = { .keep_open = true };
	struct world_client *client = world_connect(w, &peer_client_ops, &owner);

	(void)state;
	peer_request(client, w, "/echo", &gone);
	peer_request(client, w, "/echo", &kept);
	world_run(w, NULL, NULL, NSEC_PER_SEC);
	h3_stream_reset(gone.stream);
	world_run(w, NULL, NULL, NSEC_PER_SEC);
	h3_conn_admit(w->accepted[0]);
	assert_true(world_run(w, peer_is_closed, &kept, LONG));
	assert_true(gone.closed);
	assert_int_equal(w->requests, 1);
}

static void a_key_that_is_good_no_more_is_refused_with_everything_that_waits(void **state)
{
	cleanup(world_free) struct world *w = make_world();
	struct key_set both = { .keys = { w->client_key.public, w->other_key }, .len = 2 };
	struct key_set other = { .keys = { w->other_key }, .len = 1 };
	struct peer_client owner = { 0 };
	struct peer_stream s[STREAMS];

	(void)state;
	ask(w, world_connect(w, &peer_client_ops, &owner), s);
	world_run(w, NULL, NULL, NSEC_PER_SEC);
	tls_context_set_peers(w->server_tls, &both);
	assert_true(quic_conn_is_accepted(h3_conn_quic(w->accepted[0])));
	tls_context_set_peers(w->server_tls, &other);
	assert_false(quic_conn_is_accepted(h3_conn_quic(w->accepted[0])));
	h3_conn_refuse(w->accepted[0]);
	h3_conn_admit(w->accepted[0]);
	assert_true(world_run(w, peer_is_gone, &owner, LONG));
	assert_int_equal(owner.why.kind, ERR_DENIED);
	assert_string_equal(owner.why.text, "the job does not accept this key");
}

static void a_replaced_key_is_let_in_beside_the_old_one(void **state)
{
	cleanup(world_free) struct world *w = make_world();
	struct key_set next = { .keys = { w->other_key, w->client_key.public }, .len = 2 };
	struct peer_client owner = { 0 };

	(void)state;
	tls_context_set_peers(w->server_tls, &next);
	world_connect(w, &peer_client_ops, &owner);
	assert_true(world_run(w, peer_is_ready, &owner, LONG));
	assert_false(owner.is_closed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_wait_with_their_bodies_until_the_connection_is_admitted),
		cmocka_unit_test(early_requests_wait_too_and_later_ones_do_not),
		cmocka_unit_test(a_request_that_was_given_up_while_it_waited_is_never_told),
		cmocka_unit_test(a_key_that_is_good_no_more_is_refused_with_everything_that_waits),
		cmocka_unit_test(a_replaced_key_is_let_in_beside_the_old_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
