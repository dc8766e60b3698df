/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include "tests/unit/ssh_peer.h"

DEFINE_CLEANUP_VALUE(struct peer, peer_finish)

/* What may come in a state, written down a second time and without the engine's macros. */
struct expectation {
	enum ssh_state state;
	bool strict;
	uint8_t legal[24]; /* ends with 0 */
	bool answers_unknown;
};

#define CONNECTION 50, 80, 90, 91, 92, 93, 94, 95, 96, 97, 98
static const struct expectation expectations[] = {
	{ STATE_KEXINIT, true, { 1, 20 }, false },
	{ STATE_KEXINIT, false, { 1, 2, 3, 4, 20 }, false },
	{ STATE_KEX, true, { 1, 30 }, false },
	{ STATE_KEX, false, { 1, 2, 3, 4, 30 }, false },
	{ STATE_NEWKEYS, true, { 1, 21 }, false },
	{ STATE_NEWKEYS, false, { 1, 2, 3, 4, 21 }, false },
	{ STATE_SERVICE, true, { 1, 2, 3, 4, 5, 7, 20 }, true },
	{ STATE_AUTH, true, { 1, 2, 3, 4, 20, 50 }, true },
	{ STATE_OPEN, true, { 1, 2, 3, 4, 20, CONNECTION }, true },
	{ STATE_REKEX, true, { 1, 2, 3, 4, 30 }, false },
	{ STATE_RENEWKEYS, true, { 1, 2, 3, 4, 21 }, false },
};

/* Every number that the RFCs or OpenSSH give a meaning to, and that we know of. */
static const uint8_t known[] = { 1,  2,	 3,  4,	 5,  6,	 7,  8,	 20, 21, 30, 31, 50, 51, 52, 53,
				 60, 61, 80, 81, 82, 90, 91, 92, 93, 94, 95, 96, 97, 98, 99, 100 };

static bool is_among(uint8_t number, const uint8_t *list, size_t len)
{
	return memchr(list, number, len) != NULL;
}

static bool is_legal(const struct expectation *e, int number)
{
	return number != 0 && is_among((uint8_t)number, e->legal, sizeof(e->legal));
}

static void each_number_is_legal_exactly_where_it_should_be(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(expectations); i++) {
		const struct expectation *e = &expectations[i];

		for (int number = 0; number < 256; number++) {
			message_handler *handler = NULL;
			enum message_verdict expected = MESSAGE_ILLEGAL;

			if (is_legal(e, number))
				expected = MESSAGE_LEGAL;
			else if (e->answers_unknown &&
				 !is_among((uint8_t)number, known, sizeof(known)))
				expected = MESSAGE_UNKNOWN;
			assert_int_equal(
				message_check(e->state, e->strict, (uint8_t)number, &handler),
				expected);
			assert_true((handler != NULL) == (expected == MESSAGE_LEGAL));
		}
	}
}

/* What came back: the number of the first message, and the text of a DISCONNECT. */
static uint8_t answer(struct peer *p, char *text, size_t size)
{
	struct wire r;
	struct span s;
	uint8_t number = 0;

	text[0] = '\0';
	if (!peer_next(p, &number, &r) || number != MSG_DISCONNECT)
		return number;
	wire_u32(&r);
	s = wire_string(&r, size - 1);
	memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';
	return number;
}

static void check_engine(const struct expectation *e, int number)
{
	struct peer_options o = PEER_DEFAULT;
	cleanup(peer_finish) struct peer p;
	char text[512];
	uint8_t got;

	o.strict = e->strict;
	peer_init(&p, &o);
	peer_skip_to(&p, e->state);
	/*
	 * Nothing follows the number: most of them are malformed then, but that is said
	 * differently.
	 */
	peer_put(&p, (uint8_t)number, "");
	got = answer(&p, text, sizeof(text));
	if (is_legal(e, number)) {
		assert_null(strstr(text, "is not allowed"));
	} else if (e->answers_unknown && !is_among((uint8_t)number, known, sizeof(known))) {
		assert_int_equal(got, MSG_UNIMPLEMENTED);
		assert_false(p.over);
	} else {
		assert_int_equal(got, MSG_DISCONNECT);
		assert_non_null(strstr(text, "is not allowed in state"));
		assert_non_null(strstr(text, message_state_name(e->state)));
		assert_true(p.over);
		assert_int_equal(p.err.kind, ERR_PROTOCOL);
	}
	assert_int_equal(p.seen.opened + p.seen.starts, 0);
}

static void the_engine_refuses_each_number_in_each_state(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(expectations); i++)
		for (int number = 0; number < 256; number++)
			check_engine(&expectations[i], number);
}

static void nothing_is_legal_before_the_version_or_after_the_end(void **state)
{
	message_handler *handler;

	(void)state;
	for (int number = 0; number < 256; number++) {
		assert_int_equal(message_check(STATE_VERSION, false, (uint8_t)number, &handler),
				 MESSAGE_ILLEGAL);
		assert_int_equal(message_check(STATE_OVER, false, (uint8_t)number, &handler),
				 MESSAGE_ILLEGAL);
	}
}

static void unimplemented_names_the_packet(void **state)
{
	cleanup(peer_finish) struct peer p;
	struct wire r;

	(void)state;
	peer_init(&p, &PEER_DEFAULT);
	peer_handshake(&p);
	/* NEWKEYS reset the numbers: SERVICE_REQUEST was 0, USERAUTH_REQUEST 1. */
	peer_put(&p, 192, "t", "ping");
	r = peer_expect(&p, MSG_UNIMPLEMENTED);
	assert_int_equal(wire_u32(&r), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_number_is_legal_exactly_where_it_should_be),
		cmocka_unit_test(the_engine_refuses_each_number_in_each_state),
		cmocka_unit_test(nothing_is_legal_before_the_version_or_after_the_end),
		cmocka_unit_test(unimplemented_names_the_packet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
