/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <string.h>
#include <sys/socket.h>

#include "tunnel/net/addr.h"

static void assert_round_trip(const char *text)
{
	struct quic_addr addr;
	char back[ADDR_TEXT_MAX];

	assert_true(addr_parse(text, &addr));
	addr_format(&addr, back);
	assert_string_equal(back, text);
}

static void addresses_are_written_as_they_were_read(void **state)
{
	(void)state;
	assert_round_trip("10.1.2.3:4000");
	assert_round_trip("127.0.0.1:65535");
	assert_round_trip("[2001:db8::1]:1");
	assert_round_trip("[::1]:4000");
}

static void what_is_not_an_address_is_refused(void **state)
{
	static const char *const wrong[] = {
		"",
		"10.1.2.3",
		"10.1.2.3:",
		"10.1.2.3:0",
		"10.1.2.3:65536",
		"10.1.2.3:-1",
		"10.1.2.3:4000 ",
		" 10.1.2.3:4000",
		"10.1.2:4000",
		"10.1.2.3.4:4000",
		"2001:db8::1:4000",
		"[2001:db8::1]",
		"[2001:db8::1]4000",
		"[2001:db8::1:4000",
		"[10.1.2.3]:4000",
		"host:4000",
		"[]:4000",
		":4000",
		"[::]:4000",
		"0.0.0.0:4000",
		"[fe80::1]:4000",
		"169.254.1.1:4000",
		"[::1%lo]:4000",
	};
	struct quic_addr addr;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		if (addr_parse(wrong[i], &addr))
			fail_msg("'%s' was accepted", wrong[i]);
	}
}

static void one_may_listen_on_every_address_and_any_port(void **state)
{
	struct quic_addr addr;

	(void)state;
	assert_true(addr_parse_listen("[::]:0", &addr));
	assert_true(addr_is_any(&addr));
	assert_true(addr_parse_listen("0.0.0.0:4000", &addr));
	assert_true(addr_is_any(&addr));
	assert_int_equal(addr_port(&addr), 4000);
}

static void a_mapped_address_is_the_ipv4_address(void **state)
{
	struct quic_addr v4, mapped, back;

	(void)state;
	assert_true(addr_parse("10.1.2.3:4000", &v4));
	mapped = addr_mapped(&v4);
	assert_int_equal(addr_family(&mapped), AF_INET6);
	back = addr_from_sockaddr(&mapped.any);
	assert_true(addr_equal(&v4, &back));
	assert_true(addr_parse("[::ffff:10.1.2.3]:4000", &back));
	assert_true(addr_equal(&v4, &back));
}

static void a_list_holds_each_address_once_and_has_an_end(void **state)
{
	struct addr_list list = { .len = 0 };
	struct quic_addr addr;

	(void)state;
	assert_true(addr_parse("10.1.2.3:1", &addr));
	for (uint16_t i = 0; i < ADDR_LIST_MAX; i++) {
		addr_set_port(&addr, (uint16_t)(i + 1));
		assert_true(addr_list_add(&list, &addr));
		assert_true(addr_list_add(&list, &addr));
	}
	assert_int_equal(list.len, ADDR_LIST_MAX);
	addr_set_port(&addr, ADDR_LIST_MAX + 1);
	assert_false(addr_list_has(&list, &addr));
	assert_false(addr_list_add(&list, &addr));
}

static void this_host_has_addresses_and_loopback_comes_last(void **state)
{
	struct addr_list list;
	bool loopback = false;

	(void)state;
	addr_list_local(AF_UNSPEC, 4000, &list);
	assert_true(list.len > 0);
	for (size_t i = 0; i < list.len; i++) {
		const struct quic_addr *addr = &list.items[i];

		assert_int_equal(addr_port(addr), 4000);
		assert_false(addr_is_link_local(addr));
		if (loopback)
			assert_true(addr_is_loopback(addr));
		loopback = addr_is_loopback(addr);
	}
	assert_true(loopback);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_written_as_they_were_read),
		cmocka_unit_test(what_is_not_an_address_is_refused),
		cmocka_unit_test(one_may_listen_on_every_address_and_any_port),
		cmocka_unit_test(a_mapped_address_is_the_ipv4_address),
		cmocka_unit_test(a_list_holds_each_address_once_and_has_an_end),
		cmocka_unit_test(this_host_has_addresses_and_loopback_comes_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
