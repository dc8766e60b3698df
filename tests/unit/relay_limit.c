/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "init/base/macro.h"
#include "tunnel/relay/limit.h"

static struct quic_addr v4(uint32_t host)
{
	struct quic_addr addr = { .len = sizeof(addr.v4) };

	addr.v4.sin_family = AF_INET;
	addr.v4.sin_addr.s_addr = htonl(host);
	return addr;
}

static struct quic_addr v6(uint8_t net, uint8_t host)
{
	struct quic_addr addr = { .len = sizeof(addr.v6) };

	addr.v6.sin6_family = AF_INET6;
	addr.v6.sin6_addr.s6_addr[0] = 0x20;
	addr.v6.sin6_addr.s6_addr[7] = net;
	addr.v6.sin6_addr.s6_addr[15] = host;
	return addr;
}

static size_t spend_all(struct limit *limit, const struct quic_addr *addr, uint64_t now)
{
	size_t count = 0;

	while (limit_spend(limit, addr, now))
		count++;
	return count;
}

static void an_address_may_so_often_and_again_later(void **state)
{
	cleanup(limit_free) struct limit *limit = limit_new(10, 2);
	struct quic_addr addr = v4(0xc0000201);
	uint64_t now = 7 * NSEC_PER_SEC;

	(void)state;
	assert_true(limit_has(limit, &addr, now));
	assert_int_equal(spend_all(limit, &addr, now), 10);
	assert_false(limit_has(limit, &addr, now));
	now += NSEC_PER_SEC / 2;
	assert_int_equal(spend_all(limit, &addr, now), 1);
	now += 3 * NSEC_PER_SEC;
	assert_int_equal(spend_all(limit, &addr, now), 6);
	now += 1000000 * NSEC_PER_SEC;
	assert_int_equal(spend_all(limit, &addr, now), 10);
}

static void others_are_not_concerned_but_a_net_is_one(void **state)
{
	cleanup(limit_free) struct limit *limit = limit_new(5, 1);
	struct quic_addr one = v6(1, 1), neighbour = v6(1, 2), other;
	uint64_t now = NSEC_PER_SEC;
	size_t free_ones = 0;

	(void)state;
	assert_int_equal(spend_all(limit, &one, now), 5);
	assert_false(limit_has(limit, &neighbour, now));
	/* Few of them share its bucket. */
	for (uint32_t i = 0; i < 200; i++) {
		other = v4(0x0a000000 + i);
		free_ones += limit_has(limit, &other, now);
	}
	assert_true(free_ones >= 190);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_may_so_often_and_again_later),
		cmocka_unit_test(others_are_not_concerned_but_a_net_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
