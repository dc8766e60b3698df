/* SPDX-License-Identifier: MIT */
/*
 * A link to a relay in virtual time: what it costs to be registered, and what a relay that
 * restarts, goes, refuses, or stands behind a network that changes, does to that.
 */
#include "tests/sim/relay_party.h"

#include "tests/unit/unit.h"

static void a_job_is_registered_after_two_round_trips(void **state)
{
	struct party *p = party_new(RELAY_JOB, true, true);
	uint64_t start = p->now;

	(void)state;
	assert_true(party_run(p, 1, NSEC_PER_SEC));
	assert_true(p->now - start <= 2 * PARTY_RTT + 5 * NSEC_PER_MSEC);
	assert_int_equal(p->way, LINK_UDP);
	assert_int_equal(p->hellos, 1);
	assert_int_equal(link_core_observed(p->core)->port, 1000);
	party_run(p, 0, NSEC_PER_SEC);
	assert_int_equal(p->tcp_dials, 0);
	assert_int_equal(p->downs + p->moves, 0);
	party_free(p);
}

static void an_idle_registration_lasts_an_hour_and_says_hello_once(void **state)
{
	struct party *p = party_new(RELAY_CLIENT, true, false);

	(void)state;
	assert_true(party_run(p, 1, NSEC_PER_SEC));
	party_run(p, 0, 3600 * NSEC_PER_SEC);
	assert_int_equal(p->ups, 1);
	assert_int_equal(p->hellos, 1);
	assert_int_equal(p->downs, 0);
	assert_true(p->is_here);
	assert_true(link_core_peer_is_here(p->core));
	party_free(p);
}

/* It drops what inner connections send, and these get no answer. */
static void a_restarted_relay_is_noticed_by_what_is_not_answered(void **state)
{
	struct party *p = party_new(RELAY_JOB, true, true);
	uint64_t start;

	(void)state;
	assert_true(party_run(p, 1, NSEC_PER_SEC));
	party_run(p, 0, 60 * NSEC_PER_SEC);
	party_stop_relay(p);
	party_start_relay(p);
	start = p->now;
	link_core_sent(p->core, p->now);
	assert_true(party_run(p, 2, 5 * NSEC_PER_SEC));
	/* Half a second of doubt, a round trip for the answer, two for the registration. */
	assert_true(p->now - start <= 500 * NSEC_PER_MSEC + 3 * PARTY_RTT + 10 * NSEC_PER_MSEC);
	assert_int_equal(p->moves, 1);
	assert_int_equal(p->downs, 1);
	assert_int_equal(p->tcp_dials, 0);
	party_free(p);
}

/* A client that sleeps: the relay answers, the other end does not. */
static void silence_of_the_other_end_is_not_taken_for_the_relays(void **state)
{
	struct party *p = party_new(RELAY_JOB, true, true);

	(void)state;
	assert_true(party_run(p, 1, NSEC_PER_SEC));
	for (int i = 0; i < 600; i++) {
		link_core_sent(p->core, p->now);
		party_run(p, 0, NSEC_PER_SEC);
	}
	assert_int_equal(p->ups, 1);
	assert_int_equal(p->hellos, 1);
	assert_int_equal(p->downs, 0);
	party_free(p);
}

/* Nothing is sent but heartbeats, so that one of those finds out. */
static void a_relay_that_restarts_while_all_is_quiet_is_back_within_a_heartbeat(void **state)
{
	struct party *p = party_new(RELAY_JOB, true, false);

	(void)state;
	assert_true(party_run(p, 1, NSEC_PER_SEC));
	party_run(p, 0, 60 * NSEC_PER_SEC);
	party_stop_relay(p);
	party_start_relay(p);
	assert_true(party_run(p, 2, 26 * NSEC_PER_SEC));
	party_free(p);
}

static void a_relay_that_is_away_for_a_while_is_found_when_it_is_back(void **state)
{
	struct party *p = party_new(RELAY_JOB, true, false);

	(void)state;
	assert_true(party_run(p, 1, NSEC_PER_SEC));
	party_stop_relay(p);
	party_run(p, 0, 300 * NSEC_PER_SEC);
	assert_true(p->downs > 0);
	assert_int_equal(link_core_way(p->core), LINK_NO_WAY);
	party_start_relay(p);
	/* The longest pause, and the longest wait of a handshake. */
	assert_true(party_run(p, 2, 10 * NSEC_PER_SEC + 2 * PARTY_RTT));
	assert_int_equal(p->moves, 1);
	party_free(p);
}

static void a_black_hole_of_ten_minutes_costs_two_round_trips_once_the_link_is_woken(void **state)
{
	struct party *p = party_new(RELAY_CLIENT, true, true);
	uint64_t start;

	(void)state;
	p->tcp_works = false;
	assert_true(party_run(p, 1, NSEC_PER_SEC));
	party_cut(p, true);
	party_run(p, 0, 600 * NSEC_PER_SEC);
	assert_int_equal(p->ups, 1);
	party_cut(p, false);
	start = p->now;
	link_core_wake(p->core, true, p->now);
	assert_true(party_run(p, 2, 10 * NSEC_PER_SEC));
	assert_true(p->now - start <= 2 * PARTY_RTT + 10 * NSEC_PER_MSEC);
	assert_int_equal(p->way, LINK_UDP);
	assert_false(p->is_final);
	party_free(p);
}

static void another_address_keeps_the_registration(void **state)
{
	struct party *p = party_new(RELAY_CLIENT, true, false);
	struct quic_addr now;

	(void)state;
	assert_true(party_run(p, 1, NSEC_PER_SEC));
	p->port = 2000;
	link_core_wake(p->core, true, p->now);
	party_run(p, 0, 5 * PARTY_RTT);
	now = party_addr(p);
	quic_conn_path(h3_conn_quic(p->conns[0].h3), &p->hello_path);
	assert_true(quic_addr_equal(&p->hello_path.remote, &now));
	party_run(p, 0, 60 * NSEC_PER_SEC);
	assert_int_equal(p->hellos, 1);
	assert_int_equal(p->downs, 0);
	party_free(p);
}

/* There and back: the ports are those that they were. */
static void each_move_to_another_network_is_a_registration_within_two_round_trips(void **state)
{
	static const uint16_t ports[] = { 2000, 1000, 2000, 3000, 1000 };
	struct party *p = party_new(RELAY_CLIENT, true, true);
	struct quic_addr now;

	(void)state;
	assert_true(party_run(p, 1, NSEC_PER_SEC));
	for (unsigned int i = 0; i < ARRAY_LEN(ports); i++) {
		uint64_t start = p->now;

		party_run(p, 0, NSEC_PER_SEC);
		p->port = ports[i];
		start = p->now;
		link_core_redial(p->core, p->now);
		assert_true(party_run(p, i + 2, 2 * NSEC_PER_SEC));
		assert_true(p->now - start <= 2 * PARTY_RTT + 10 * NSEC_PER_MSEC);
		now = party_addr(p);
		assert_true(quic_addr_equal(&p->hello_path.remote, &now));
		assert_int_equal(p->moves, i + 1);
	}
	assert_int_equal(p->downs, 0);
	assert_int_equal(p->tcp_dials, 0);
	party_free(p);
}

/* Nobody told us: a NAT forgot its mapping. */
static void a_question_finds_out_that_the_relay_is_deaf_within_seconds(void **state)
{
	struct party *p = party_new(RELAY_CLIENT, true, true);
	uint64_t start;

	(void)state;
	assert_true(party_run(p, 1, NSEC_PER_SEC));
	party_cut(p, true);
	start = p->now;
	link_core_wake(p->core, false, p->now);
	assert_true(party_run(p, 2, 10 * NSEC_PER_SEC));
	assert_int_equal(p->way, LINK_TCP);
	/* A second for the answer, and the byte stream after that. */
	assert_true(p->now - start <=
		    NSEC_PER_SEC + LINK_CORE_TCP_AFTER + (PARTY_TCP_RTTS + 1) * PARTY_RTT);
	assert_int_equal(p->moves, 1);
	party_free(p);
}

static void where_udp_is_blocked_tcp_is_up_after_its_delay_and_its_round_trips(void **state)
{
	struct party *p = party_new(RELAY_JOB, true, true);
	uint64_t start = p->now;

	(void)state;
	party_cut(p, true);
	assert_true(party_run(p, 1, 10 * NSEC_PER_SEC));
	assert_int_equal(p->way, LINK_TCP);
	assert_true(p->now - start <= LINK_CORE_TCP_AFTER + (PARTY_TCP_RTTS + 1) * PARTY_RTT);
	party_free(p);
}

static void udp_takes_over_once_it_gets_through(void **state)
{
	struct party *p = party_new(RELAY_JOB, true, true);

	(void)state;
	party_cut(p, true);
	assert_true(party_run(p, 1, 10 * NSEC_PER_SEC));
	party_run(p, 0, 20 * NSEC_PER_SEC);
	assert_int_equal(p->ups, 1);
	party_cut(p, false);
	assert_true(party_run(p, 2, 60 * NSEC_PER_SEC));
	assert_int_equal(p->way, LINK_UDP);
	assert_int_equal(p->moves, 1);
	assert_int_equal(p->downs, 0);
	assert_int_equal(p->tcp_ready_at, QUIC_NEVER);
	party_free(p);
}

static void a_change_of_the_network_tries_udp_at_once(void **state)
{
	struct party *p = party_new(RELAY_JOB, true, true);
	uint64_t start;

	(void)state;
	party_cut(p, true);
	assert_true(party_run(p, 1, 10 * NSEC_PER_SEC));
	party_run(p, 0, 20 * NSEC_PER_SEC);
	party_cut(p, false);
	start = p->now;
	link_core_wake(p->core, true, p->now);
	assert_true(party_run(p, 2, 10 * NSEC_PER_SEC));
	assert_int_equal(p->way, LINK_UDP);
	assert_true(p->now - start <= 2 * PARTY_RTT + 10 * NSEC_PER_MSEC);
	party_free(p);
}

static void who_is_refused_for_good_is_told_once_and_asks_no_more(void **state)
{
	struct party *p = party_new(RELAY_CLIENT, true, true);

	(void)state;
	p->refuses = RELAY_CODE_TOKEN;
	party_run(p, 0, 600 * NSEC_PER_SEC);
	assert_int_equal(p->downs, 1);
	assert_true(p->is_final);
	assert_int_equal(p->why.kind, ERR_DENIED);
	assert_int_equal(p->conn_count, 1);
	party_free(p);
}

/* Its token may be added to the relay while it runs. */
static void a_job_that_is_refused_looks_again_every_minute(void **state)
{
	struct party *p = party_new(RELAY_JOB, true, false);

	(void)state;
	p->refuses = RELAY_CODE_TOKEN;
	party_run(p, 0, 600 * NSEC_PER_SEC);
	assert_false(p->is_final);
	assert_true(p->conn_count >= 8 && p->conn_count <= 12);
	p->refuses = (enum relay_code)0;
	assert_true(party_run(p, 1, 61 * NSEC_PER_SEC));
	party_free(p);
}

static void who_is_told_when_to_come_back_does_then(void **state)
{
	struct party *p = party_new(RELAY_CLIENT, true, false);
	uint64_t start = p->now;

	(void)state;
	p->refuses = RELAY_CODE_FULL;
	p->refuses_for_ms = 2000;
	party_run(p, 0, NSEC_PER_SEC);
	p->refuses = (enum relay_code)0;
	assert_true(party_run(p, 1, 10 * NSEC_PER_SEC));
	assert_true(p->now - start >= 2 * NSEC_PER_SEC);
	assert_true(p->now - start <= 2 * NSEC_PER_SEC + 5 * PARTY_RTT);
	party_free(p);
}

static void a_relay_that_says_goodbye_is_come_back_to_at_once(void **state)
{
	struct party *p = party_new(RELAY_JOB, true, true);
	uint64_t start;

	(void)state;
	assert_true(party_run(p, 1, NSEC_PER_SEC));
	party_run(p, 0, 60 * NSEC_PER_SEC);
	start = p->now;
	h3_conn_close(p->conns[0].h3);
	assert_true(party_run(p, 2, NSEC_PER_SEC));
	assert_true(p->now - start <= 3 * PARTY_RTT);
	party_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_job_is_registered_after_two_round_trips),
		cmocka_unit_test(an_idle_registration_lasts_an_hour_and_says_hello_once),
		cmocka_unit_test(a_restarted_relay_is_noticed_by_what_is_not_answered),
		cmocka_unit_test(silence_of_the_other_end_is_not_taken_for_the_relays),
		cmocka_unit_test(
			a_relay_that_restarts_while_all_is_quiet_is_back_within_a_heartbeat),
		cmocka_unit_test(a_relay_that_is_away_for_a_while_is_found_when_it_is_back),
		cmocka_unit_test(
			a_black_hole_of_ten_minutes_costs_two_round_trips_once_the_link_is_woken),
		cmocka_unit_test(another_address_keeps_the_registration),
		cmocka_unit_test(
			each_move_to_another_network_is_a_registration_within_two_round_trips),
		cmocka_unit_test(a_question_finds_out_that_the_relay_is_deaf_within_seconds),
		cmocka_unit_test(
			where_udp_is_blocked_tcp_is_up_after_its_delay_and_its_round_trips),
		cmocka_unit_test(udp_takes_over_once_it_gets_through),
		cmocka_unit_test(a_change_of_the_network_tries_udp_at_once),
		cmocka_unit_test(who_is_refused_for_good_is_told_once_and_asks_no_more),
		cmocka_unit_test(a_job_that_is_refused_looks_again_every_minute),
		cmocka_unit_test(who_is_told_when_to_come_back_does_then),
		cmocka_unit_test(a_relay_that_says_goodbye_is_come_back_to_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
