/* SPDX-License-Identifier: MIT */
/* The link itself: what it does to datagrams is what its settings say. */
#include "tests/sim/link.h"
#include "tests/unit/unit.h"

#define COUNT 20000

struct seen {
	unsigned came, longest_gap, gaps;
	bool in_order;
	uint64_t last_at;
};

/* Sends COUNT numbered datagrams of len bytes, one each microsecond, and looks at what comes. */
static struct seen pass(const struct link_settings *settings, size_t len)
{
	cleanup(link_free) struct link *link = link_new(settings, 7);
	struct seen seen = { .in_order = true };
	struct link_head head = { 0 };
	uint32_t last = 0;
	uint8_t bytes[1500] = { 0 };
	struct span got;

	for (uint32_t i = 1; i <= COUNT; i++) {
		memcpy(bytes, &i, sizeof(i));
		link_send(link, i * 1000, &head, span_of(bytes, len));
	}
	while (link_deadline(link) != QUIC_NEVER) {
		uint32_t number;

		seen.last_at = link_deadline(link);
		assert_true(link_receive(link, seen.last_at, &head, &got));
		assert_int_equal(got.len, len);
		memcpy(&number, got.ptr, sizeof(number));
		seen.came++;
		seen.in_order &= number > last;
		if (number > last + 1) {
			seen.gaps++;
			seen.longest_gap = MAX(seen.longest_gap, number - last - 1);
		}
		last = number;
	}
	return seen;
}

static void without_faults_everything_comes_in_order_and_late(void **state)
{
	const struct link_settings s = { .delay_ns = 5 * NSEC_PER_MSEC };
	struct seen seen = pass(&s, 100);

	(void)state;
	assert_int_equal(seen.came, COUNT);
	assert_true(seen.in_order);
	assert_true(seen.last_at == COUNT * UINT64_C(1000) + s.delay_ns);
}

static void the_rate_spreads_datagrams(void **state)
{
	const struct link_settings s = { .rate_bps = 1000000 };
	struct seen seen = pass(&s, 125);

	(void)state;
	assert_int_equal(seen.came, COUNT);
	assert_true(seen.last_at >= COUNT * NSEC_PER_MSEC);
	assert_true(seen.last_at <= COUNT * NSEC_PER_MSEC + 1000);
}

static void a_full_queue_drops_what_comes_then(void **state)
{
	/* The time of all datagrams is worth 20 of them, and the queue holds 40. */
	const struct link_settings s = { .rate_bps = 1000000, .queue_max = 40 * 125 };
	struct seen seen = pass(&s, 125);

	(void)state;
	assert_in_range(seen.came, 60, 62);
}

static void single_losses_are_as_many_as_asked(void **state)
{
	const struct link_settings s = { .loss = 0.1 };
	struct seen seen = pass(&s, 100);

	(void)state;
	assert_in_range(seen.came, COUNT * 88 / 100, COUNT * 92 / 100);
	assert_true(seen.longest_gap < 10);
}

static void losses_in_bursts_are_long_and_few(void **state)
{
	/* A share of 1 / 11 in bursts of 20 on the average. */
	const struct link_settings s = { .burst_begin = 0.005, .burst_end = 0.05 };
	struct seen seen = pass(&s, 100);

	(void)state;
	assert_in_range(seen.came, COUNT * 85 / 100, COUNT * 96 / 100);
	assert_true(seen.longest_gap > 40);
	assert_in_range((COUNT - seen.came) / seen.gaps, 12, 30);
}

static void some_come_twice_and_some_too_late(void **state)
{
	struct link_settings s = { .duplicate = 0.1 };
	struct seen seen = pass(&s, 100);

	(void)state;
	assert_in_range(seen.came, COUNT * 108 / 100, COUNT * 112 / 100);
	s = (struct link_settings){ .reorder = 0.1, .reorder_delay_ns = 10000 };
	seen = pass(&s, 100);
	assert_int_equal(seen.came, COUNT);
	assert_false(seen.in_order);
}

static void what_is_too_large_and_what_meets_a_cut_vanishes(void **state)
{
	struct link_settings s = { .datagram_max = 500 };

	(void)state;
	assert_int_equal(pass(&s, 500).came, COUNT);
	assert_int_equal(pass(&s, 501).came, 0);
	s.is_cut = true;
	assert_int_equal(pass(&s, 100).came, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_faults_everything_comes_in_order_and_late),
		cmocka_unit_test(the_rate_spreads_datagrams),
		cmocka_unit_test(a_full_queue_drops_what_comes_then),
		cmocka_unit_test(single_losses_are_as_many_as_asked),
		cmocka_unit_test(losses_in_bursts_are_long_and_few),
		cmocka_unit_test(some_come_twice_and_some_too_late),
		cmocka_unit_test(what_is_too_large_and_what_meets_a_cut_vanishes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
