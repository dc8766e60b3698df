/* SPDX-License-Identifier: MIT */
/* Early requests: what a ticket saves, and what happens when it is of no use. */
#include "tests/sim/sim.h"

#define RTT (50 * NSEC_PER_MSEC)
#define LONG (10 * NSEC_PER_SEC)

static const struct world_config plain = { .link = { .delay_ns = RTT / 2 } };

static void a_request_with_a_ticket_is_answered_after_one_round_trip(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct world_ticket ticket = { 0 };
	struct peer_client owner = { .world = w, .tickets = &ticket };
	struct peer_stream s = { .to_send = 1000, .checks = true };
	struct world_client *client;
	uint64_t began;

	(void)state;
	peer_get_ticket(w, &ticket);
	assert_int_equal(ticket.count, 4);
	began = w->now;
	client = world_resume(w, &peer_client_ops, &owner, &ticket.ticket);
	peer_request(client, w, "/echo", &s);
	assert_true(world_run(w, peer_is_closed, &s, LONG));
	assert_int_equal(s.status, 200);
	assert_int_equal(s.received, 1000);
	assert_false(s.is_wrong || s.has_error);
	assert_int_equal(s.answered_at - began, RTT);
	assert_int_equal(owner.ready_at - began, RTT);
	/* And there is a ticket for the next time. */
	world_run(w, NULL, NULL, RTT);
	assert_int_equal(ticket.count, 5);
	assert_int_equal(w->requests, 1);
}

/* ssh has not said yet what it wants when the handshake begins. */
static void a_request_that_is_made_during_the_handshake_is_early_too(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct world_ticket ticket = { 0 };
	struct peer_stream s = { .to_send = 10, .checks = true };
	struct world_client *client;
	uint64_t asked;

	(void)state;
	peer_get_ticket(w, &ticket);
	client = world_resume(w, &peer_client_ops, NULL, &ticket.ticket);
	world_run(w, NULL, NULL, RTT / 4);
	asked = w->now;
	peer_request(client, w, "/echo", &s);
	assert_true(world_run(w, peer_is_closed, &s, LONG));
	assert_int_equal(s.answered_at - asked, RTT);
}

static void a_long_early_request_goes_on_after_the_handshake(void **state)
{
	cleanup(world_free) struct world *w =
		world_new(&(struct world_config){ .link = { .delay_ns = RTT / 2, .loss = 0.02 } });
	struct world_ticket ticket = { 0 };
	struct peer_stream s = { .to_send = 8 << 20, .checks = true };

	(void)state;
	peer_get_ticket(w, &ticket);
	peer_request(world_resume(w, &peer_client_ops, NULL, &ticket.ticket), w, "/echo", &s);
	assert_true(world_run(w, peer_is_closed, &s, 600 * NSEC_PER_SEC));
	assert_int_equal(s.received, 8 << 20);
	assert_false(s.is_wrong || s.has_error);
	assert_int_equal(w->requests, 1);
}

/* A ticket that was used before: nothing is taken early, and everything is said again. */
static void a_ticket_works_once_and_what_was_refused_is_asked_again(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct world_ticket ticket = { 0 };
	struct peer_stream s[2] = { { .to_send = 100000, .checks = true },
				    { .to_send = 100000, .checks = true } };

	(void)state;
	peer_get_ticket(w, &ticket);
	for (size_t i = 0; i < 2; i++) {
		struct world_client *client =
			world_resume(w, &peer_client_ops, NULL, &ticket.ticket);
		uint64_t began = w->now;

		peer_request(client, w, "/echo", &s[i]);
		assert_true(world_run(w, peer_is_closed, &s[i], LONG));
		assert_false(s[i].is_wrong || s[i].has_error);
		assert_int_equal(s[i].received, 100000);
		assert_int_equal(s[i].answered_at - began, (i + 1) * RTT);
		assert_int_equal(w->requests, i + 1);
	}
}

static void a_ticket_of_a_server_that_was_restarted_does_no_harm(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct world_ticket ticket = { 0 };
	struct peer_stream s[20];
	struct world_client *client;

	(void)state;
	peer_get_ticket(w, &ticket);
	world_restart_server(w);
	client = world_resume(w, &peer_client_ops, NULL, &ticket.ticket);
	for (size_t i = 0; i < ARRAY_LEN(s); i++) {
		s[i] = (struct peer_stream){ .to_send = 3000 + i, .checks = true };
		peer_request(client, w, "/echo", &s[i]);
	}
	/* One is given up before anybody knows what becomes of it. */
	world_run(w, NULL, NULL, RTT / 2);
	h3_stream_reset(s[7].stream);
	for (size_t i = 0; i < ARRAY_LEN(s); i++) {
		assert_true(world_run(w, peer_is_closed, &s[i], LONG));
		assert_int_equal(s[i].has_error, i == 7);
		assert_int_equal(s[i].received, i == 7 ? 0 : 3000 + i);
		assert_false(s[i].is_wrong);
	}
	assert_int_equal(w->requests, ARRAY_LEN(s) - 1);
}

static void a_key_that_was_revoked_has_no_use_of_its_ticket(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct world_ticket ticket = { 0 };
	struct peer_client owner = { 0 };
	struct peer_stream s = { .to_send = 10 };

	(void)state;
	peer_get_ticket(w, &ticket);
	tls_context_set_peers(w->server_tls,
			      &(struct key_set){ .keys = { w->other_key }, .len = 1 });
	peer_request(world_resume(w, &peer_client_ops, &owner, &ticket.ticket), w, "/echo", &s);
	assert_true(world_run(w, peer_is_gone, &owner, LONG));
	assert_string_equal(owner.why.text, "the job does not accept this key");
	assert_int_equal(s.status, 0);
	assert_int_equal(w->requests, 0);
}

static void a_ticket_that_was_garbled_costs_only_what_it_would_have_saved(void **state)
{
	(void)state;
	for (size_t i = 0; i < 60; i++) {
		cleanup(world_free) struct world *w = world_new(&plain);
		struct world_ticket ticket = { 0 };
		struct peer_client owner = { 0 };
		struct peer_stream s = { .to_send = 100, .checks = true };

		peer_get_ticket(w, &ticket);
		if (i < 40)
			ticket.session[i * ticket.ticket.session.len / 40] ^= (uint8_t)(1 + i);
		else
			ticket.params[i % ticket.ticket.params.len] ^= (uint8_t)(1 + i);
		peer_request(world_resume(w, &peer_client_ops, &owner, &ticket.ticket), w, "/echo",
			     &s);
		/* A changed secret or key ends the connection, no more. */
		if (world_run(w, peer_is_closed, &s, LONG))
			assert_true(s.received == 100 && !s.is_wrong);
		else
			assert_true(owner.is_closed);
		assert_true(w->requests <= 1);
	}
}

static void early_requests_survive_loss_duplicates_and_disorder(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		cleanup(world_free) struct world *w = world_new(&plain);
		struct world_ticket ticket = { 0 };
		struct peer_stream s[3] = { { .to_send = 1000, .checks = true },
					    { .to_send = 5000, .checks = true },
					    { .to_send = 1, .checks = true } };
		struct world_client *client;

		peer_get_ticket(w, &ticket);
		if (seed % 4 == 0)
			world_restart_server(w);
		w->config.link = (struct link_settings){ .delay_ns = RTT / 2,
							 .loss = 0.1,
							 .duplicate = 0.1,
							 .corrupt = 0.02,
							 .reorder = 0.2,
							 .reorder_delay_ns = 20 * NSEC_PER_MSEC };
		w->config.seed = seed;
		client = world_resume(w, &peer_client_ops, NULL, &ticket.ticket);
		for (size_t i = 0; i < ARRAY_LEN(s); i++)
			peer_request(client, w, "/echo", &s[i]);
		for (size_t i = 0; i < ARRAY_LEN(s); i++) {
			assert_true(world_run(w, peer_is_closed, &s[i], 30 * NSEC_PER_SEC));
			assert_false(s[i].has_error || s[i].is_wrong);
			assert_int_equal(s[i].received, s[i].to_send);
		}
		assert_int_equal(w->requests, ARRAY_LEN(s));
	}
}

static void a_crowd_with_tickets_is_served_with_the_help_of_retry(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	static struct world_ticket tickets[48];
	static struct peer_stream s[ARRAY_LEN(tickets)];

	(void)state;
	assert_true(ARRAY_LEN(tickets) > QUIC_SERVER_HANDSHAKES_MAX);
	for (size_t i = 0; i < ARRAY_LEN(tickets); i++) {
		tickets[i].count = 0;
		peer_get_ticket(w, &tickets[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(tickets); i++) {
		s[i] = (struct peer_stream){ .to_send = 500, .checks = true };
		peer_request(world_resume(w, &peer_client_ops, NULL, &tickets[i].ticket), w,
			     "/echo", &s[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(tickets); i++) {
		assert_true(world_run(w, peer_is_closed, &s[i], LONG));
		assert_false(s[i].has_error || s[i].is_wrong);
		assert_int_equal(s[i].received, 500);
	}
	assert_int_equal(w->requests, ARRAY_LEN(tickets));
}

/* The address of the ticket answers no more, another one does. */
static void another_connection_takes_over_what_was_asked_early(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct world_ticket ticket = { 0 };
	struct peer_client first = { 0 }, second = { 0 };
	struct peer_stream s[3] = { { .to_send = 1000, .checks = true },
				    { .to_send = 200000, .checks = true },
				    { .to_send = 10, .checks = true } };
	struct world_client *early, *other;

	(void)state;
	peer_get_ticket(w, &ticket);
	early = world_resume(w, &peer_client_ops, &first, &ticket.ticket);
	world_cut(early, true);
	peer_request(early, w, "/echo", &s[0]);
	peer_request(early, w, "/echo", &s[1]);
	/* It is given up by itself; what is asked then waits with the rest. */
	assert_true(world_run(w, peer_is_gone, &first, LONG));
	assert_false(s[0].closed || s[1].closed);
	peer_request(early, w, "/echo", &s[2]);
	other = world_connect(w, &peer_client_ops, &second);
	assert_true(world_run(w, peer_is_ready, &second, LONG));
	h3_conn_adopt(other->h3, early->h3);
	for (size_t i = 0; i < ARRAY_LEN(s); i++) {
		assert_true(world_run(w, peer_is_closed, &s[i], LONG));
		assert_false(s[i].has_error || s[i].is_wrong);
		assert_int_equal(s[i].received, s[i].to_send);
	}
	assert_int_equal(w->requests, ARRAY_LEN(s));
}

/* It was heard all the same, and only the answer got lost: it does not act again. */
static void a_request_that_was_heard_is_not_heard_by_another_connection(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct world_ticket ticket = { 0 };
	struct peer_client second = { 0 };
	struct peer_stream s = { .to_send = 1000 };
	struct world_client *early, *other;

	(void)state;
	peer_get_ticket(w, &ticket);
	early = world_resume(w, &peer_client_ops, NULL, &ticket.ticket);
	link_settings(early->down)->is_cut = true;
	peer_request(early, w, "/echo", &s);
	other = world_connect(w, &peer_client_ops, &second);
	assert_true(world_run(w, peer_is_ready, &second, LONG));
	assert_int_equal(w->requests, 1);
	h3_conn_adopt(other->h3, early->h3);
	assert_true(world_run(w, peer_is_closed, &s, LONG));
	assert_int_equal(s.status, 409);
	assert_int_equal(w->requests, 1);
}

static void what_waits_for_another_connection_ends_with_the_reason_when_there_is_none(void **state)
{
	cleanup(world_free) struct world *w = world_new(&plain);
	struct world_ticket ticket = { 0 };
	struct peer_client owner = { 0 };
	struct peer_stream s = { .to_send = 10 };
	struct world_client *early;

	(void)state;
	peer_get_ticket(w, &ticket);
	early = world_resume(w, &peer_client_ops, &owner, &ticket.ticket);
	world_cut(early, true);
	peer_request(early, w, "/echo", &s);
	assert_true(world_run(w, peer_is_gone, &owner, 2 * LONG));
	assert_false(s.closed);
	w = world_free(w);
	assert_true(s.closed && s.has_error);
	assert_string_equal(s.why.text, "no answer within 10 s");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_with_a_ticket_is_answered_after_one_round_trip),
		cmocka_unit_test(a_request_that_is_made_during_the_handshake_is_early_too),
		cmocka_unit_test(a_long_early_request_goes_on_after_the_handshake),
		cmocka_unit_test(a_ticket_works_once_and_what_was_refused_is_asked_again),
		cmocka_unit_test(a_ticket_of_a_server_that_was_restarted_does_no_harm),
		cmocka_unit_test(a_key_that_was_revoked_has_no_use_of_its_ticket),
		cmocka_unit_test(a_ticket_that_was_garbled_costs_only_what_it_would_have_saved),
		cmocka_unit_test(early_requests_survive_loss_duplicates_and_disorder),
		cmocka_unit_test(a_crowd_with_tickets_is_served_with_the_help_of_retry),
		cmocka_unit_test(another_connection_takes_over_what_was_asked_early),
		cmocka_unit_test(a_request_that_was_heard_is_not_heard_by_another_connection),
		cmocka_unit_test(
			what_waits_for_another_connection_ends_with_the_reason_when_there_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
