/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <string.h>

#include "tunnel/wire/capsule.h"
#include "tunnel/wire/listen.h"
#include "tunnel/wire/varint.h"

static struct span value_of(const struct buf *b, uint64_t expected_type)
{
	struct span s = buf_span(b);
	uint64_t type = 0, len = 0;

	assert_true(varint_read(&s, &type) && varint_read(&s, &len));
	assert_int_equal(type, expected_type);
	assert_int_equal(len, s.len);
	return s;
}

static void each_capsule_survives_the_wire(void **state)
{
	const struct listen_start start = { LISTEN_TCP, span_of_str("localhost"), 65535 };
	const struct listen_address at = { span_of_str("/tmp/a socket"), 0 };
	const struct listen_address from = { span_of_str("::1"), 40000 };
	cleanup(buf_finish) struct buf a = BUF_INIT(600), b = BUF_INIT(600), c = BUF_INIT(600),
				       d = BUF_INIT(600);
	struct listen_start start_again;
	struct listen_address again;
	uint64_t id = 0;

	(void)state;
	assert_true(listen_start_format(&start, &a));
	assert_int_equal(listen_start_parse(value_of(&a, LISTEN_LISTEN), &start_again, NULL), 0);
	assert_int_equal(start_again.kind, LISTEN_TCP);
	assert_true(span_equal_str(start_again.address, "localhost"));
	assert_int_equal(start_again.port, 65535);
	assert_true(listen_listening_format(&at, &b));
	assert_int_equal(listen_listening_parse(value_of(&b, LISTEN_LISTENING), &again, NULL), 0);
	assert_true(span_equal_str(again.address, "/tmp/a socket"));
	assert_true(listen_accepted_format(VARINT_MAX, &from, &c));
	assert_int_equal(listen_accepted_parse(value_of(&c, LISTEN_ACCEPTED), &id, &again, NULL),
			 0);
	assert_true(id == VARINT_MAX && span_equal_str(again.address, "::1"));
	assert_int_equal(again.port, 40000);
	assert_true(listen_refuse_format(7, &d));
	assert_int_equal(listen_refuse_parse(value_of(&d, LISTEN_REFUSE), &id, NULL), 0);
	assert_int_equal(id, 7);
}

static int parse(uint64_t type, struct span value, struct err *err)
{
	struct listen_address address;
	struct listen_start start;
	uint64_t id;

	switch ((enum listen_capsule)type) {
	case LISTEN_LISTEN:
		return listen_start_parse(value, &start, err);
	case LISTEN_REFUSE:
		return listen_refuse_parse(value, &id, err);
	case LISTEN_LISTENING:
		return listen_listening_parse(value, &address, err);
	case LISTEN_ACCEPTED:
		return listen_accepted_parse(value, &id, &address, err);
	}
	return -1;
}

static void what_is_cut_short_or_too_long_is_refused(void **state)
{
	static const struct {
		uint64_t type;
		const char *value;
		size_t len;
	} samples[] = {
		{ LISTEN_LISTEN, "\x00\x04host\x50\x00", 8 },
		{ LISTEN_REFUSE, "\x80\x00\x01\x00", 4 },
		{ LISTEN_LISTENING, "\x04host\x50\x00", 7 },
		{ LISTEN_ACCEPTED, "\x07\x04host\x50\x00", 8 },
	};
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		cleanup(buf_finish) struct buf b = BUF_INIT(600);
		/* A port of two bytes. */
		bool has_port = samples[i].type != LISTEN_REFUSE;
		uint8_t bytes[16];

		memcpy(bytes, samples[i].value, samples[i].len);
		if (has_port)
			bytes[samples[i].len - 2] |= 0x40;
		assert_int_equal(parse(samples[i].type, span_of(bytes, samples[i].len), &err), 0);
		for (size_t len = 0; len < samples[i].len; len++) {
			assert_int_equal(parse(samples[i].type, span_of(bytes, len), &err), -1);
			assert_int_equal(err.kind, ERR_PROTOCOL);
		}
		bytes[samples[i].len] = 0;
		assert_int_equal(parse(samples[i].type, span_of(bytes, samples[i].len + 1), &err),
				 -1);
		assert_int_equal(err.kind, ERR_PROTOCOL);
	}
}

static void what_cannot_be_an_address_is_refused(void **state)
{
	static char name[LISTEN_ADDRESS_MAX + 2];
	cleanup(buf_finish) struct buf b = BUF_INIT(1024);
	struct listen_start start = { .kind = LISTEN_UNIX };
	struct err err = { 0 };

	(void)state;
	/* Too long. */
	memset(name, 'x', LISTEN_ADDRESS_MAX + 1);
	start.address = span_of_str(name);
	assert_true(listen_start_format(&start, &b));
	assert_int_equal(listen_start_parse(span_of(b.mem + 4, buf_len(&b) - 4), &start, &err), -1);
	assert_int_equal(err.kind, ERR_LIMIT);
	/* A NUL; no such kind; ports of Unix sockets; a path that is not the client's. */
	assert_int_equal(parse(LISTEN_LISTEN, span_of("\x00\x02x\x00\x01", 5), &err), -1);
	assert_int_equal(parse(LISTEN_LISTEN, span_of("\x03\x00\x00", 3), &err), -1);
	assert_int_equal(parse(LISTEN_LISTEN, span_of("\x01\x01/\x01", 4), &err), -1);
	assert_int_equal(parse(LISTEN_LISTEN, span_of("\x02\x01/\x00", 4), &err), -1);
	assert_int_equal(parse(LISTEN_LISTEN, span_of("\x02\x00\x00", 3), &err), 0);
	/* No port is so large. */
	assert_int_equal(parse(LISTEN_LISTENING, span_of("\x00\x80\x01\x00\x00", 5), &err), -1);
	assert_int_equal(err.kind, ERR_PROTOCOL);
}

static void a_buffer_that_is_too_small_takes_nothing(void **state)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(5);
	const struct listen_address from = { span_of_str("127.0.0.1"), 1 };

	(void)state;
	assert_false(listen_accepted_format(1, &from, &b));
	assert_int_equal(buf_len(&b), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_capsule_survives_the_wire),
		cmocka_unit_test(what_is_cut_short_or_too_long_is_refused),
		cmocka_unit_test(what_cannot_be_an_address_is_refused),
		cmocka_unit_test(a_buffer_that_is_too_small_takes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
