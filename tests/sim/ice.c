/* SPDX-License-Identifier: MIT */
/* Which ends find a direct way through which NATs, how fast, and what becomes of it. */
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "tests/sim/yard.h"

#define DELAY (25 * NSEC_PER_MSEC)
#define RTT (2 * DELAY)

/* Nobody gets through here without guessing ports. */
static bool is_hopeless(const struct nat_kind *a, const struct nat_kind *b)
{
	return (a == &NAT_STRICT && (b == &NAT_STRICT || b == &NAT_MODERATE)) ||
	       (a == &NAT_MODERATE && b == &NAT_STRICT);
}

static size_t run_matrix(bool v6)
{
	size_t direct = 0;

	for (size_t i = 0; i < NAT_KINDS * NAT_KINDS; i++) {
		const struct yard_config config = {
			.client = nat_kinds[i / NAT_KINDS],
			.job = nat_kinds[i % NAT_KINDS],
			.v6 = v6,
			.way = { .delay_ns = DELAY },
		};
		cleanup(yard_free) struct yard *y = yard_new(&config);
		bool found = yard_run(y, yard_is_direct, 10 * NSEC_PER_SEC);

		assert_int_equal(found, !is_hopeless(config.client, config.job));
		if (!found)
			continue;
		direct++;
		/* Three round trips after the handshake over the relay. */
		assert_true(y->now - YARD_START <= 3 * RTT);
		/* The job hears which way it is. */
		yard_run(y, NULL, RTT);
		assert_true(y->ends[YARD_JOB].chosen_at > 0);
	}
	return direct;
}

static void thirteen_of_sixteen_pairs_of_nats_are_passed(void **state)
{
	(void)state;
	assert_int_equal(run_matrix(false), 13);
	assert_int_equal(run_matrix(true), 13);
}

static void a_job_behind_a_strict_nat_is_found_by_its_checks(void **state)
{
	const struct yard_config config = { .client = &NAT_OPEN,
					    .job = &NAT_STRICT,
					    .way = { .delay_ns = DELAY } };
	cleanup(yard_free) struct yard *y = yard_new(&config);

	(void)state;
	assert_true(yard_run(y, yard_is_direct, NSEC_PER_SEC));
	assert_int_equal(y->ends[YARD_CLIENT].chosen.kind, ICE_PEER_REFLEXIVE);
	assert_in_range(y->ends[YARD_CLIENT].rtt_ns, RTT, RTT);
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

#define RUNS 400

static void lost_checks_cost_little(void **state)
{
	/* Two in a hundred, in bursts of three. */
	struct yard_config config = {
		.client = &NAT_MODERATE,
		.job = &NAT_MODERATE,
		.way = { .delay_ns = DELAY, .burst_begin = 0.0068, .burst_end = 0.333 },
	};
	static uint64_t took[RUNS];

	(void)state;
	for (size_t i = 0; i < RUNS; i++) {
		cleanup(yard_free) struct yard *y = NULL;

		config.seed = i;
		config.job = i % 2 ? &NAT_MODERATE : &NAT_STRICT;
		config.client = i % 2 ? &NAT_MODERATE : &NAT_OPEN;
		y = yard_new(&config);
		assert_true(yard_run(y, yard_is_direct, 100 * NSEC_PER_SEC));
		took[i] = y->now - YARD_START;
	}
	qsort(took, RUNS, sizeof(took[0]), compare);
	print_message("direct after %.0f ms (median), %.0f ms (99 in 100), %.0f ms (longest)\n",
		      (double)took[RUNS / 2] / 1e6, (double)took[RUNS * 99 / 100] / 1e6,
		      (double)took[RUNS - 1] / 1e6);
	assert_true(took[RUNS * 99 / 100] <= 1500 * NSEC_PER_MSEC);
}

static void the_way_through_the_nats_stays_open(void **state)
{
	static const struct nat_kind hasty = { "hasty", false, NAT_ANY, NAT_ADDRESS_PORT,
					       30 * NSEC_PER_SEC };
	const struct yard_config config = { .client = &hasty,
					    .job = &hasty,
					    .way = { .delay_ns = DELAY } };
	cleanup(yard_free) struct yard *y = yard_new(&config);
	uint64_t before;

	(void)state;
	assert_true(yard_run(y, yard_is_direct, NSEC_PER_SEC));
	yard_run(y, NULL, 5 * NSEC_PER_SEC);
	before = y->ends[YARD_CLIENT].sent;
	yard_run(y, NULL, 3600 * NSEC_PER_SEC);
	assert_false(yard_is_lost(y));
	/* One check in fifteen seconds. */
	assert_in_range(y->ends[YARD_CLIENT].sent - before, 220, 260);
}

static void a_dead_way_is_noticed_and_found_again(void **state)
{
	const struct yard_config config = { .client = &NAT_MODERATE,
					    .job = &NAT_MODERATE,
					    .way = { .delay_ns = DELAY } };
	cleanup(yard_free) struct yard *y = yard_new(&config);

	(void)state;
	assert_true(yard_run(y, yard_is_direct, NSEC_PER_SEC));
	yard_run(y, NULL, 5 * NSEC_PER_SEC);
	yard_cut(y, true);
	assert_true(yard_run(y, yard_is_lost, ICE_KEEP_ALIVE_NS + ICE_GIVE_UP_NS + RTT));
	assert_false(yard_is_direct(y));
	yard_run(y, NULL, 100 * NSEC_PER_SEC);
	yard_cut(y, false);
	/* The next round, by the minute. */
	assert_true(yard_run(y, yard_is_direct, 61 * NSEC_PER_SEC));
}

static void the_connection_may_notice_first(void **state)
{
	const struct yard_config config = { .client = &NAT_MODERATE,
					    .job = &NAT_MODERATE,
					    .way = { .delay_ns = DELAY } };
	cleanup(yard_free) struct yard *y = yard_new(&config);

	(void)state;
	assert_true(yard_run(y, yard_is_direct, NSEC_PER_SEC));
	/* Both NATs forgot. */
	nat_forget(y->ends[YARD_CLIENT].nat);
	nat_forget(y->ends[YARD_JOB].nat);
	ice_agent_lost(y->ends[YARD_CLIENT].agent, y->now);
	yard_run(y, NULL, 0);
	assert_false(yard_is_direct(y));
	assert_int_equal(y->ends[YARD_CLIENT].losses, 1);
	/* Their new ports are not what was told, and yet both check at once: nothing to find. */
	assert_false(yard_run(y, yard_is_direct, NSEC_PER_SEC));
	/* What the relays see now. */
	yard_move(y, YARD_JOB);
	yard_move(y, YARD_CLIENT);
	assert_true(yard_run(y, yard_is_direct, 4 * RTT));
}

static void a_new_network_is_a_new_round(void **state)
{
	const struct yard_config config = { .client = &NAT_MODERATE,
					    .job = &NAT_MODERATE,
					    .way = { .delay_ns = DELAY } };
	cleanup(yard_free) struct yard *y = yard_new(&config);
	struct ice_candidate before;

	(void)state;
	assert_true(yard_run(y, yard_is_direct, NSEC_PER_SEC));
	yard_run(y, NULL, 5 * NSEC_PER_SEC);
	assert_true(ice_agent_chosen(y->ends[YARD_JOB].agent, &before));
	for (int i = 0; i < 5; i++) {
		uint64_t began = y->now;

		yard_move(y, YARD_CLIENT);
		yard_run(y, NULL, 4 * RTT);
		assert_true(yard_is_direct(y));
		assert_true(y->now - began <= 4 * RTT);
		yard_run(y, NULL, 10 * NSEC_PER_SEC);
		/* The job hears of the new address, and the old one is forgotten. */
		assert_false(quic_addr_equal(&y->ends[YARD_JOB].chosen.addr, &before.addr));
		before = y->ends[YARD_JOB].chosen;
	}
}

static void the_network_of_both_is_better_than_the_way_around(void **state)
{
	const struct yard_config config = {
		.client = &NAT_MODERATE,
		.job = &NAT_MODERATE,
		.way = { .delay_ns = DELAY },
		.lan_delay_ns = NSEC_PER_MSEC / 5,
	};
	cleanup(yard_free) struct yard *y = yard_new(&config);
	struct ice_candidate chosen;

	(void)state;
	assert_true(yard_run(y, yard_is_direct, NSEC_PER_SEC));
	yard_run(y, NULL, NSEC_PER_SEC);
	assert_true(y->ends[YARD_CLIENT].rtt_ns < NSEC_PER_MSEC);
	/* Its check overtook the word of it. */
	assert_true(ice_agent_chosen(y->ends[YARD_CLIENT].agent, &chosen));
	assert_int_equal(chosen.kind, ICE_HOST);
}

static bool is_v6_used(uint64_t extra_ns)
{
	const struct yard_config config = {
		.client = &NAT_NONE,
		.job = &NAT_NONE,
		.v4 = true,
		.v6 = true,
		.way = { .delay_ns = DELAY },
		.v6_extra_ns = extra_ns,
	};
	cleanup(yard_free) struct yard *y = yard_new(&config);

	yard_run(y, NULL, 3 * NSEC_PER_SEC);
	assert_true(yard_is_direct(y));
	/* No to and fro. */
	assert_in_range(y->ends[YARD_CLIENT].choices, 1, 2);
	return y->ends[YARD_CLIENT].chosen.addr.any.sa_family == AF_INET6;
}

static void the_faster_family_is_used_when_it_matters(void **state)
{
	(void)state;
	/* 20 ms slower, there and back 40. */
	assert_false(is_v6_used(20 * NSEC_PER_MSEC));
	/* The first to answer stays when the other is about as fast. */
	assert_false(is_v6_used(NSEC_PER_MSEC));
}

static void without_a_way_checks_become_rare(void **state)
{
	const struct yard_config config = { .client = &NAT_STRICT,
					    .job = &NAT_STRICT,
					    .way = { .delay_ns = DELAY } };
	cleanup(yard_free) struct yard *y = yard_new(&config);
	size_t sent;

	(void)state;
	yard_run(y, NULL, 3600 * NSEC_PER_SEC);
	assert_false(yard_is_direct(y));
	/* Ten minutes with one round each, and five rounds in the rest of the hour. */
	assert_in_range(y->ends[YARD_CLIENT].rounds, 14, 18);
	assert_int_equal(y->ends[YARD_JOB].rounds, 1);
	sent = y->ends[YARD_CLIENT].sent;
	assert_true(sent <= 16 * y->ends[YARD_CLIENT].rounds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thirteen_of_sixteen_pairs_of_nats_are_passed),
		cmocka_unit_test(a_job_behind_a_strict_nat_is_found_by_its_checks),
		cmocka_unit_test(lost_checks_cost_little),
		cmocka_unit_test(the_way_through_the_nats_stays_open),
		cmocka_unit_test(a_dead_way_is_noticed_and_found_again),
		cmocka_unit_test(the_connection_may_notice_first),
		cmocka_unit_test(a_new_network_is_a_new_round),
		cmocka_unit_test(the_network_of_both_is_better_than_the_way_around),
		cmocka_unit_test(the_faster_family_is_used_when_it_matters),
		cmocka_unit_test(without_a_way_checks_become_rare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
