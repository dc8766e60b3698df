/* SPDX-License-Identifier: MIT */
/* The examples of RFC 6455 section 5.7, and what a hostile peer may try. */
#include "tests/unit/unit.h"

#include <string.h>

#include "init/base/buf.h"
#include "init/base/websocket.h"

static const struct websocket_key key = { { 0x37, 0xfa, 0x21, 0x3d } };

/* Feeds in pieces of `step` bytes; what came out is in *out. */
static int feed(struct websocket *ws, struct span input, size_t step, struct buf *out)
{
	while (input.len > 0) {
		uint8_t bytes[4096];
		struct span part = span_cut(&input, MIN(MIN(step, input.len), sizeof(bytes)));
		size_t len = part.len;

		memcpy(bytes, part.ptr, part.len);
		if (websocket_unwrap(ws, bytes, &len, NULL) < 0)
			return -1;
		assert_true(buf_append(out, bytes, len));
	}
	return 0;
}

static void expect(enum websocket_role role, const char *bytes, size_t len, const char *text)
{
	for (size_t step = 1; step <= len; step++) {
		cleanup(buf_finish) struct buf out = BUF_INIT(4096);
		struct websocket ws = WEBSOCKET_INIT(role);

		assert_int_equal(feed(&ws, span_of(bytes, len), step, &out), 0);
		assert_string_equal(buf_str(&out), text);
	}
}

static void frames_become_the_bytes_they_carry_however_they_are_split(void **state)
{
	/* Binary instead of the RFC's text; "Hello" masked, whole, and in two fragments. */
	static const char masked[] = "\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
	static const char plain[] = "\x82\x05Hello";
	static const char fragments[] = "\x02\x03Hel\x80\x02lo";
	static const char with_ping[] = "\x02\x03Hel\x89\x05Hello\x80\x02lo";
	static const char with_empty[] = "\x82\x00\x82\x05Hello\x82\x00";

	(void)state;
	expect(WEBSOCKET_SERVER, masked, sizeof(masked) - 1, "Hello");
	expect(WEBSOCKET_CLIENT, plain, sizeof(plain) - 1, "Hello");
	expect(WEBSOCKET_CLIENT, fragments, sizeof(fragments) - 1, "Hello");
	expect(WEBSOCKET_CLIENT, with_ping, sizeof(with_ping) - 1, "Hello");
	expect(WEBSOCKET_CLIENT, with_empty, sizeof(with_empty) - 1, "Hello");
}

static void where_messages_begin_and_end_is_told(void **state)
{
	/* "ab" in two fragments with a PING between, an empty one, and the begin of another. */
	uint8_t bytes[] = "\x02\x01"
			  "a\x89\x00\x80\x01"
			  "b\x82\x00\x82\x05"
			  "cd";
	static const struct {
		const char *text;
		bool begins, ends;
	} expected[] = { { "a", true, false },
			 { "b", false, true },
			 { "", true, true },
			 { "cd", true, false } };
	struct websocket ws = WEBSOCKET_INIT(WEBSOCKET_CLIENT);
	struct websocket_piece piece;
	uint8_t *at = bytes;
	size_t left = sizeof(bytes) - 1;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		assert_int_equal(websocket_next(&ws, &at, &left, &piece, NULL), 1);
		assert_int_equal(piece.len, strlen(expected[i].text));
		assert_memory_equal(piece.bytes, expected[i].text, piece.len);
		assert_int_equal(piece.begins, expected[i].begins);
		assert_int_equal(piece.ends, expected[i].ends);
	}
	assert_int_equal(websocket_next(&ws, &at, &left, &piece, NULL), 0);
	assert_int_equal(left, 0);
}

static void what_is_wrapped_comes_out_again(void **state)
{
	static const size_t sizes[] = { 0, 1, 7, 125, 126, 127, 1200, 65535, 65536, 70000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes) * 2; i++) {
		enum websocket_role role = i % 2 ? WEBSOCKET_CLIENT : WEBSOCKET_SERVER;
		struct websocket ws = WEBSOCKET_INIT(i % 2 ? WEBSOCKET_SERVER : WEBSOCKET_CLIENT);
		cleanup(buf_finish) struct buf sent = BUF_INIT(100000), out = BUF_INIT(100000);
		size_t len = sizes[i / 2], head;
		uint8_t *at = buf_reserve(&sent, WEBSOCKET_HEAD_MAX + len);

		assert_non_null(at);
		head = websocket_put_head(role, len, &key, at);
		assert_true(head <= WEBSOCKET_HEAD_MAX);
		for (size_t k = 0; k < len; k++)
			at[head + k] = (uint8_t)(k % 251);
		/* In two parts, as a stream that is gathered from pieces does it. */
		if (role == WEBSOCKET_CLIENT) {
			websocket_mask(&key, 0, at + head, len / 3);
			websocket_mask(&key, len / 3, at + head + len / 3, len - len / 3);
		}
		buf_commit(&sent, head + len);
		assert_int_equal(feed(&ws, buf_span(&sent), 1000, &out), 0);
		assert_int_equal(buf_len(&out), len);
		for (size_t k = 0; k < len; k++)
			assert_int_equal(buf_span(&out).ptr[k], k % 251);
	}
}

static void a_ping_is_owed_its_bytes_and_a_pong_nothing(void **state)
{
	static const char ping[] = "\x89\x05Hello", pong[] = "\x8a\x05Hello";
	cleanup(buf_finish) struct buf out = BUF_INIT(100);
	struct websocket ws = WEBSOCKET_INIT(WEBSOCKET_CLIENT);
	uint8_t answer[WEBSOCKET_ANSWER_MAX];

	(void)state;
	assert_int_equal(feed(&ws, span_of(pong, sizeof(pong) - 1), 3, &out), 0);
	assert_false(websocket_has_answer(&ws));
	assert_int_equal(feed(&ws, span_of(ping, sizeof(ping) - 1), 3, &out), 0);
	assert_true(websocket_has_answer(&ws));
	assert_int_equal(websocket_answer(&ws, &key, answer), 11);
	assert_memory_equal(answer, "\x8a\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 11);
	assert_false(websocket_has_answer(&ws));
	assert_int_equal(buf_len(&out), 0);
}

static void after_a_close_nothing_counts(void **state)
{
	static const char bytes[] = "\x82\x01x\x88\x02\x03\xe8\x82\x01y\xff\xff\xff";
	cleanup(buf_finish) struct buf out = BUF_INIT(100);
	struct websocket ws = WEBSOCKET_INIT(WEBSOCKET_CLIENT);
	uint8_t answer[WEBSOCKET_ANSWER_MAX];

	(void)state;
	assert_int_equal(feed(&ws, span_of(bytes, sizeof(bytes) - 1), 4, &out), 0);
	assert_true(ws.is_closed);
	assert_string_equal(buf_str(&out), "x");
	assert_int_equal(websocket_answer(&ws, &key, answer), 8);
	assert_int_equal(answer[0], 0x88);
}

static void what_breaks_the_protocol_ends_it(void **state)
{
	static const struct {
		enum websocket_role role;
		const char *bytes;
		size_t len;
	} cases[] = {
		{ WEBSOCKET_SERVER, "\x82\x05Hello", 7 },		/* not masked */
		{ WEBSOCKET_CLIENT, "\x82\x85\x37\xfa\x21\x3d", 6 },	/* masked */
		{ WEBSOCKET_CLIENT, "\xc2\x01x", 3 },			/* a reserved bit */
		{ WEBSOCKET_CLIENT, "\x81\x01x", 3 },			/* text */
		{ WEBSOCKET_CLIENT, "\x83\x01x", 3 },			/* no known kind */
		{ WEBSOCKET_CLIENT, "\x80\x01x", 3 },			/* continues nothing */
		{ WEBSOCKET_CLIENT, "\x02\x01x\x82\x01y", 6 },		/* begins inside */
		{ WEBSOCKET_CLIENT, "\x09\x01x", 3 },			/* a PING in fragments */
		{ WEBSOCKET_CLIENT, "\x89\x7e\x00\x7e", 4 },		/* a PING of 126 bytes */
		{ WEBSOCKET_CLIENT, "\x82\x7f\x80\0\0\0\0\0\0\0", 10 }, /* a negative length */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		cleanup(buf_finish) struct buf out = BUF_INIT(100);
		struct websocket ws = WEBSOCKET_INIT(cases[i].role);

		assert_int_equal(feed(&ws, span_of(cases[i].bytes, cases[i].len), 100, &out), -1);
	}
}

static void a_frame_may_be_of_any_length(void **state)
{
	cleanup(buf_finish) struct buf out = BUF_INIT(100);
	struct websocket ws = WEBSOCKET_INIT(WEBSOCKET_CLIENT);
	static const char head[] = "\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xffhello";

	(void)state;
	assert_int_equal(feed(&ws, span_of(head, sizeof(head) - 1), 100, &out), 0);
	assert_string_equal(buf_str(&out), "hello");
}

static void our_own_control_frames_are_understood(void **state)
{
	cleanup(buf_finish) struct buf out = BUF_INIT(100);
	struct websocket ws = WEBSOCKET_INIT(WEBSOCKET_SERVER);
	uint8_t bytes[WEBSOCKET_ANSWER_MAX];

	(void)state;
	assert_int_equal(feed(&ws,
			      span_of(bytes, websocket_put_ping(WEBSOCKET_CLIENT, &key, bytes)), 9,
			      &out),
			 0);
	assert_true(websocket_has_answer(&ws));
	assert_int_equal(websocket_answer(&ws, &key, bytes), 2);
	assert_int_equal(feed(&ws,
			      span_of(bytes, websocket_put_close(WEBSOCKET_CLIENT, &key, bytes)), 9,
			      &out),
			 0);
	assert_true(ws.is_closed);
	assert_int_equal(websocket_answer(&ws, &key, bytes), 4);
	assert_memory_equal(bytes, "\x88\x02\x03\xe8", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_become_the_bytes_they_carry_however_they_are_split),
		cmocka_unit_test(where_messages_begin_and_end_is_told),
		cmocka_unit_test(what_is_wrapped_comes_out_again),
		cmocka_unit_test(a_ping_is_owed_its_bytes_and_a_pong_nothing),
		cmocka_unit_test(after_a_close_nothing_counts),
		cmocka_unit_test(what_breaks_the_protocol_ends_it),
		cmocka_unit_test(a_frame_may_be_of_any_length),
		cmocka_unit_test(our_own_control_frames_are_understood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
