/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <string.h>

#include "tunnel/quic/conn.h"
#include "tunnel/quic/tag.h"

static const struct quic_tag expected = { "job-tag!" };

static void a_short_header_begins_with_the_tag(void **state)
{
	uint8_t packet[30] = { 0x45, 'j', 'o', 'b', '-', 't', 'a', 'g', '!' };
	struct quic_tag tag = { 0 };

	(void)state;
	assert_true(quic_tag_of(span_of(packet, sizeof(packet)), &tag));
	assert_true(quic_tag_equal(&tag, &expected));
	/* The id of a short header has 16 bytes, whatever comes. */
	assert_true(quic_tag_of(span_of(packet, 17), &tag));
	assert_false(quic_tag_of(span_of(packet, 16), &tag));
}

static void a_long_header_says_how_long_its_id_is(void **state)
{
	uint8_t packet[30] = { 0xc0, 0, 0, 0, 1, 8, 'j', 'o', 'b', '-', 't', 'a', 'g', '!' };
	struct quic_tag tag = { 0 };

	(void)state;
	assert_true(quic_tag_of(span_of(packet, sizeof(packet)), &tag));
	assert_true(quic_tag_equal(&tag, &expected));
	packet[5] = 24;
	assert_true(quic_tag_of(span_of(packet, sizeof(packet)), &tag));
	packet[5] = 25;
	assert_false(quic_tag_of(span_of(packet, sizeof(packet)), &tag));
	packet[5] = 7;
	assert_false(quic_tag_of(span_of(packet, sizeof(packet)), &tag));
}

static void what_is_not_quic_has_no_tag(void **state)
{
	/* A STUN binding request, RTP, and nothing. */
	uint8_t packet[30] = { 0x00, 0x01 };
	struct quic_tag tag;

	(void)state;
	assert_false(quic_tag_of(span_of(packet, sizeof(packet)), &tag));
	packet[0] = 0x80;
	assert_false(quic_tag_of(span_of(packet, sizeof(packet)), &tag));
	assert_false(quic_tag_of(span_of(NULL, 0), &tag));
}

static void random_tags_differ(void **state)
{
	struct quic_tag a, b;

	(void)state;
	quic_tag_random(&a);
	quic_tag_random(&b);
	assert_false(quic_tag_equal(&a, &b));
}

static void a_synthetic_address_says_its_link_and_number(void **state)
{
	struct quic_addr addr = quic_addr_synthetic(3, 0x10203), other = { .len = 28 };

	(void)state;
	assert_true(quic_addr_is_synthetic(&addr));
	assert_int_equal(quic_addr_link(&addr), 3);
	assert_int_equal(quic_addr_number(&addr), 0x10203);
	other.v6.sin6_family = AF_INET6;
	assert_false(quic_addr_is_synthetic(&other));
	assert_int_equal(quic_addr_link(&other), 0);
	assert_int_equal(quic_addr_number(&other), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_short_header_begins_with_the_tag),
		cmocka_unit_test(a_long_header_says_how_long_its_id_is),
		cmocka_unit_test(what_is_not_quic_has_no_tag),
		cmocka_unit_test(random_tags_differ),
		cmocka_unit_test(a_synthetic_address_says_its_link_and_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
