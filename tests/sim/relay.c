/* SPDX-License-Identifier: MIT */
/* A relay with those whom it joins; those who want more of it are in relay_hostile.c. */
#include "tests/unit/unit.h"

#include <string.h>

#include "init/base/macro.h"
#include "tests/sim/relay_world.h"
#include "tunnel/relay/control.h"

#define DELAY (10 * NSEC_PER_MSEC)
#define RTT (2 * DELAY)

static const struct link_settings links = { .delay_ns = DELAY };

static void a_job_and_a_client_meet_at_the_relay(void **state)
{
	cleanup(relay_world_free) struct relay_world *w = relay_world_new(&links);
	struct relay_end *job, *client;

	(void)state;
	relay_world_join(w, &job, &client);
	/* The client was told at once that the job is there, the job that a client came. */
	assert_int_equal(job->here, 1);
	assert_int_equal(client->here, 1);
	assert_int_equal(client->gone, 0);
	assert_int_equal(client->observed.port, 1000);
	assert_int_equal(w->core->stats.dropped[CORE_DROP_UNKNOWN], 0);
	assert_true(w->core->stats.bytes[RELAY_JOB] > 100000);
	assert_int_equal(w->strangers, 0);
}

static void a_client_that_comes_first_is_told_when_the_job_comes(void **state)
{
	cleanup(relay_world_free) struct relay_world *w = relay_world_new(&links);
	struct relay_end *job = relay_world_end(w, RELAY_JOB, NULL);
	struct relay_end *client = relay_world_welcome(w, RELAY_CLIENT, job);

	(void)state;
	relay_world_run(w, NULL, NULL, NSEC_PER_SEC);
	assert_int_equal(client->gone, 1);
	relay_end_dial(job);
	assert_true(relay_world_run(w, relay_end_is_welcome, job, NSEC_PER_SEC));
	relay_world_run(w, NULL, NULL, RTT);
	assert_int_equal(client->here, 1);
	/* The control connection ends, and with it the registration. */
	h3_conn_close(job->control);
	relay_world_run(w, NULL, NULL, NSEC_PER_SEC);
	assert_int_equal(client->gone, 2);
	assert_int_equal(legs_count(w->core->legs, RELAY_JOB), 0);
}

static void a_restarted_relay_is_noticed_in_a_round_trip_and_nothing_is_lost(void **state)
{
	cleanup(relay_world_free) struct relay_world *w = relay_world_new(&links);
	struct relay_end *job, *client;
	uint64_t before;

	(void)state;
	relay_world_join(w, &job, &client);
	client->to_send = 2000000;
	quic_conn_probe(h3_conn_quic(client->control));
	relay_world_restart(w);
	/* Whatever they send on the control connection is answered with a reset. */
	quic_conn_probe(h3_conn_quic(client->control));
	quic_conn_probe(h3_conn_quic(job->control));
	before = w->now;
	assert_true(relay_world_run(w, relay_end_is_over, client, NSEC_PER_SEC));
	assert_true(client->was_reset);
	assert_true(w->now - before <= RTT + NSEC_PER_MSEC);
	assert_true(relay_world_run(w, relay_end_is_over, job, NSEC_PER_SEC));
	relay_end_dial(job);
	relay_end_dial(client);
	assert_true(relay_world_run(w, relay_end_is_welcome, client, NSEC_PER_SEC));
	relay_end_go_on(client);
	assert_true(relay_world_run(w, relay_end_has_all, client, 20 * NSEC_PER_SEC));
	assert_false(client->is_wrong);
	assert_false(client->inner_over);
	assert_int_equal(job->accepted_count, 1);
}

/*
 * A relay that has just been started knows nobody. What the inner connection sends then must not be
 * answered, least of all by the relay's own TLS, which has another key.
 */
static void an_inner_handshake_that_meets_a_relay_which_knows_nobody_waits(void **state)
{
	cleanup(relay_world_free) struct relay_world *w = relay_world_new(&links);
	struct relay_end *job = relay_world_welcome(w, RELAY_JOB, NULL);
	struct relay_end *client = relay_world_welcome(w, RELAY_CLIENT, job);

	(void)state;
	relay_world_restart(w);
	relay_end_connect(client, 1000);
	relay_world_run(w, NULL, NULL, NSEC_PER_SEC);
	assert_false(client->inner_over);
	assert_true(w->core->stats.dropped[CORE_DROP_UNKNOWN] > 0);
	assert_int_equal(front_count(w->front), 0);
	relay_end_dial(job);
	relay_end_dial(client);
	assert_true(relay_world_run(w, relay_end_has_all, client, 5 * NSEC_PER_SEC));
}

static void a_leg_follows_its_control_connection_to_another_address(void **state)
{
	cleanup(relay_world_free) struct relay_world *w = relay_world_new(&links);
	struct relay_end *job, *client;
	struct err err;

	(void)state;
	relay_world_join(w, &job, &client);
	relay_end_rebind(client);
	client->path.local.v4.sin_port = client->address.v4.sin_port;
	assert_int_equal(
		quic_conn_migrate(h3_conn_quic(client->control), &client->path, w->now, &err), 0);
	relay_world_run(w, NULL, NULL, NSEC_PER_SEC);
	assert_int_equal(client->observed.port, 1001);
	assert_int_equal(w->core->stats.moved, 1);
	client->to_send = 1000000;
	relay_end_go_on(client);
	assert_true(relay_world_run(w, relay_end_has_all, client, 20 * NSEC_PER_SEC));
	assert_int_equal(job->accepted_count, 1);
}

/* From the hotel back to the Wi-Fi of a minute ago: the relay has validated that one before. */
static void a_leg_follows_back_to_an_address_that_it_had(void **state)
{
	cleanup(relay_world_free) struct relay_world *w = relay_world_new(&links);
	struct relay_end *job, *client;
	struct quic_addr first;
	struct err err;

	(void)state;
	relay_world_join(w, &job, &client);
	first = client->address;
	for (unsigned int i = 1; i <= 4; i++) {
		if (i % 2)
			relay_end_rebind(client);
		else
			client->address = first;
		client->path.local.v4.sin_port = htons((uint16_t)(5000 + i));
		assert_int_equal(quic_conn_migrate(h3_conn_quic(client->control), &client->path,
						   w->now, &err),
				 0);
		relay_world_run(w, NULL, NULL, NSEC_PER_SEC);
		assert_int_equal(w->core->stats.moved, i);
	}
	client->to_send = 1000000;
	relay_end_go_on(client);
	assert_true(relay_world_run(w, relay_end_has_all, client, 20 * NSEC_PER_SEC));
}

static void who_comes_again_with_another_connection_takes_its_own_place(void **state)
{
	cleanup(relay_world_free) struct relay_world *w = relay_world_new(&links);
	struct relay_end *job, *client;

	(void)state;
	relay_world_join(w, &job, &client);
	/* Without a word: the relay still has the old connections. */
	relay_end_rebind(client);
	relay_end_dial(client);
	relay_end_rebind(job);
	relay_end_dial(job);
	assert_true(relay_world_run(w, relay_end_is_welcome, client, NSEC_PER_SEC));
	assert_true(relay_world_run(w, relay_end_is_welcome, job, NSEC_PER_SEC));
	assert_int_equal(legs_count(w->core->legs, RELAY_JOB), 1);
	assert_int_equal(legs_count(w->core->legs, RELAY_CLIENT), 1);
	assert_int_equal(w->core->stats.refused[RELAY_CODE_REPLACED], 2);
	client->to_send = 1000000;
	relay_end_go_on(client);
	assert_true(relay_world_run(w, relay_end_has_all, client, 20 * NSEC_PER_SEC));
}

static void expect_refusal(struct relay_world *w, struct relay_end *end, enum relay_code code)
{
	relay_end_dial(end);
	assert_true(relay_world_run(w, relay_end_is_refused, end, NSEC_PER_SEC));
	assert_int_equal(end->code, code);
	assert_false(end->is_welcome);
}

static void a_relay_that_drains_tells_all_and_takes_nobody(void **state)
{
	cleanup(relay_world_free) struct relay_world *w = relay_world_new(&links);
	struct relay_end *job, *client, *late;

	(void)state;
	relay_world_join(w, &job, &client);
	core_drain(w->core, 2000);
	front_drain(w->front);
	relay_world_run(w, NULL, NULL, 2 * RTT);
	assert_true(job->is_drained && client->is_drained);
	late = relay_world_end(w, RELAY_CLIENT, job);
	expect_refusal(w, late, RELAY_CODE_DRAINING);
	/* Those that are there are served to the end. */
	client->to_send = 500000;
	relay_end_go_on(client);
	assert_true(relay_world_run(w, relay_end_has_all, client, 20 * NSEC_PER_SEC));
	front_close(w->front, "the relay is shutting down");
	assert_true(relay_world_run(w, relay_end_is_over, client, NSEC_PER_SEC));
	assert_true(relay_world_run(w, relay_end_is_over, job, NSEC_PER_SEC));
	assert_int_equal(front_count(w->front), 0);
}

static void an_hour_of_silence_keeps_registrations(void **state)
{
	cleanup(relay_world_free) struct relay_world *w = relay_world_new(&links);
	struct relay_end *job, *client;

	(void)state;
	relay_world_join(w, &job, &client);
	relay_world_run(w, NULL, NULL, 3600 * NSEC_PER_SEC);
	assert_false(job->is_over || client->is_over);
	client->to_send = 200000;
	relay_end_go_on(client);
	assert_true(relay_world_run(w, relay_end_has_all, client, 20 * NSEC_PER_SEC));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_and_a_client_meet_at_the_relay),
		cmocka_unit_test(a_client_that_comes_first_is_told_when_the_job_comes),
		cmocka_unit_test(a_restarted_relay_is_noticed_in_a_round_trip_and_nothing_is_lost),
		cmocka_unit_test(an_inner_handshake_that_meets_a_relay_which_knows_nobody_waits),
		cmocka_unit_test(a_leg_follows_its_control_connection_to_another_address),
		cmocka_unit_test(a_leg_follows_back_to_an_address_that_it_had),
		cmocka_unit_test(who_comes_again_with_another_connection_takes_its_own_place),
		cmocka_unit_test(a_relay_that_drains_tells_all_and_takes_nobody),
		cmocka_unit_test(an_hour_of_silence_keeps_registrations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
