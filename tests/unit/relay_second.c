/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <string.h>

#include "init/base/macro.h"
#include "tunnel/ice/stun.h"
#include "tunnel/relay/second.h"

/* A Binding request, as plain as there are. */
static const uint8_t request[] = { 0x00, 0x01, 0x00, 0x00, 0x21, 0x12, 0xa4, 0x42, 1,  2,
				   3,	 4,    5,    6,	   7,	 8,    9,    10,   11, 12 };

static struct quic_addr from_v4(void)
{
	struct quic_addr addr = { .len = sizeof(addr.v4) };

	addr.v4.sin_family = AF_INET;
	addr.v4.sin_addr.s_addr = htonl(0xc0000205);
	addr.v4.sin_port = htons(40001);
	return addr;
}

static struct quic_addr from_v6(void)
{
	struct quic_addr addr = { .len = sizeof(addr.v6) };

	addr.v6.sin6_family = AF_INET6;
	addr.v6.sin6_addr.s6_addr[0] = 0x20;
	addr.v6.sin6_addr.s6_addr[15] = 0x99;
	addr.v6.sin6_port = htons(7);
	return addr;
}

static void the_answer_says_where_the_question_came_from(void **state)
{
	const struct quic_addr from[] = { from_v4(), from_v6() };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(from); i++) {
		cleanup(buf_finish) struct buf b = BUF_INIT(SECOND_ANSWER_MAX);
		struct stun_message answer;

		assert_true(second_answer(span_of(request, sizeof(request)), &from[i], &b));
		assert_int_equal(stun_parse(buf_span(&b), &answer, NULL), 0);
		assert_int_equal(answer.class, STUN_SUCCESS);
		assert_memory_equal(answer.transaction, request + 8, STUN_TRANSACTION_LEN);
		assert_true(quic_addr_equal(&answer.mapped, &from[i]));
		/* A stranger's address in the question gets him no more than three times that. */
		assert_true(buf_len(&b) <= 3 * sizeof(request));
	}
}

static void what_is_no_question_gets_no_answer(void **state)
{
	const struct quic_addr from = from_v4();
	cleanup(buf_finish) struct buf b = BUF_INIT(SECOND_ANSWER_MAX), again = BUF_INIT(100);
	uint8_t bytes[sizeof(request)];

	(void)state;
	assert_true(second_answer(span_of(request, sizeof(request)), &from, &b));
	/* Two servers do not answer each other's answers. */
	assert_false(second_answer(buf_span(&b), &from, &again));
	for (size_t len = 0; len < sizeof(request); len++)
		assert_false(second_answer(span_of(request, len), &from, &again));
	memcpy(bytes, request, sizeof(bytes));
	bytes[0] = 0x40;
	assert_false(second_answer(span_of(bytes, sizeof(bytes)), &from, &again));
	assert_int_equal(buf_len(&again), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_answer_says_where_the_question_came_from),
		cmocka_unit_test(what_is_no_question_gets_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
