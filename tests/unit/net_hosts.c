/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <arpa/inet.h>

#include "tunnel/net/hosts.h"

static void addresses_that_are_not_to_be_told_are_known_by_their_flags(void **state)
{
	static const struct {
		const char *line;
		bool is_unfit;
	} samples[] = {
		{ "20010db8000000000000000000000001 02 40 00 80     eth0", false },
		{ "20010db8000000000000000000000001 02 40 00 a0     eth0", true }, /* deprecated */
		{ "20010db8000000000000000000000001 02 40 00 21     eth0", true }, /* the same */
		{ "20010db8000000000000000000000001 02 40 00 40     eth0", true }, /* tentative */
		{ "20010db8000000000000000000000001 02 40 00 c8     eth0", true }, /* a duplicate */
		{ "20010db8000000000000000000000001 02 40 00 01     eth0", false }, /* temporary */
		{ "20010db80000 02 40 00 a0 eth0", false },
		{ "", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		char text[INET6_ADDRSTRLEN];
		struct in6_addr address;

		assert_int_equal(hosts_is_unfit(samples[i].line, &address), samples[i].is_unfit);
		if (samples[i].is_unfit)
			assert_string_equal(inet_ntop(AF_INET6, &address, text, sizeof(text)),
					    "2001:db8::1");
	}
}

static void what_is_told_means_something_elsewhere(void **state)
{
	struct addr_list list;

	(void)state;
	hosts_list(4000, &list);
	for (size_t i = 0; i < list.len; i++) {
		assert_false(addr_is_loopback(&list.items[i]));
		assert_false(addr_is_link_local(&list.items[i]));
		assert_int_equal(addr_port(&list.items[i]), 4000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_that_are_not_to_be_told_are_known_by_their_flags),
		cmocka_unit_test(what_is_told_means_something_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
