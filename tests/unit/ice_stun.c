/* SPDX-License-Identifier: MIT */
/* The samples are those of RFC 5769. */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <string.h>

#include "tunnel/ice/stun.h"

#define TRANSACTION 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae
#define COOKIE 0x21, 0x12, 0xa4, 0x42

/* clang-format off */
static const uint8_t request[] = {
	0x00, 0x01, 0x00, 0x58, COOKIE, TRANSACTION,
	0x80, 0x22, 0x00, 0x10, 'S', 'T', 'U', 'N', ' ', 't', 'e', 's', 't', ' ', 'c', 'l', 'i', 'e', 'n', 't',
	0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff,
	0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36,
	0x00, 0x06, 0x00, 0x09, 'e', 'v', 't', 'j', ':', 'h', '6', 'v', 'Y', 0x20, 0x20, 0x20,
	0x00, 0x08, 0x00, 0x14, 0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e, 0xf2, 0xb5,
	0xb2, 0xd3, 0xf2, 0x49, 0xc1, 0xb5, 0x71, 0xa2,
	0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf,
};
static const uint8_t answer_v4[] = {
	0x01, 0x01, 0x00, 0x3c, COOKIE, TRANSACTION,
	0x80, 0x22, 0x00, 0x0b, 't', 'e', 's', 't', ' ', 'v', 'e', 'c', 't', 'o', 'r', 0x20,
	0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43,
	0x00, 0x08, 0x00, 0x14, 0x2b, 0x91, 0xf5, 0x99, 0xfd, 0x9e, 0x90, 0xc3, 0x8c, 0x74, 0x89, 0xf9,
	0x2a, 0xf9, 0xba, 0x53, 0xf0, 0x6b, 0xe7, 0xd7,
	0x80, 0x28, 0x00, 0x04, 0xc0, 0x7d, 0x4c, 0x96,
};
static const uint8_t answer_v6[] = {
	0x01, 0x01, 0x00, 0x48, COOKIE, TRANSACTION,
	0x80, 0x22, 0x00, 0x0b, 't', 'e', 's', 't', ' ', 'v', 'e', 'c', 't', 'o', 'r', 0x20,
	0x00, 0x20, 0x00, 0x14, 0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79,
	0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9,
	0x00, 0x08, 0x00, 0x14, 0xa3, 0x82, 0x95, 0x4e, 0x4b, 0xe6, 0x7b, 0xf1, 0x17, 0x84, 0xc9, 0x7c,
	0x82, 0x92, 0xc2, 0x75, 0xbf, 0xe3, 0xed, 0x41,
	0x80, 0x28, 0x00, 0x04, 0xc8, 0xfb, 0x0b, 0x4c,
};
/* clang-format on */

static const char password[] = "VOkJxbRl1RmTxUk/WvJxBt";

static struct span password_span(void)
{
	return span_of_str(password);
}

static void the_sample_request_is_read(void **state)
{
	struct stun_message m;

	(void)state;
	assert_int_equal(stun_parse(span_of(request, sizeof(request)), &m, NULL), 0);
	assert_int_equal(m.class, STUN_REQUEST);
	assert_true(span_equal_str(m.username, "evtj:h6vY"));
	assert_true(m.has_priority);
	assert_int_equal(m.priority, 0x6e0001ff);
	assert_int_equal(m.role, STUN_CONTROLLED);
	assert_true(m.tie_breaker == UINT64_C(0x932ff9b151263b36));
	assert_true(m.has_fingerprint);
	assert_int_equal(m.unknown, 0);
	assert_true(stun_verify(&m, STUN_SHA1, password_span()));
	assert_false(stun_verify(&m, STUN_SHA1, span_of_str("VOkJxbRl1RmTxUk/WvJxBT")));
	assert_false(stun_verify(&m, STUN_SHA256, password_span()));
}

static void the_sample_answers_tell_the_mapped_address(void **state)
{
	struct stun_message m;
	char text[INET6_ADDRSTRLEN];

	(void)state;
	assert_int_equal(stun_parse(span_of(answer_v4, sizeof(answer_v4)), &m, NULL), 0);
	assert_int_equal(m.class, STUN_SUCCESS);
	assert_int_equal(m.mapped.any.sa_family, AF_INET);
	assert_int_equal(ntohs(m.mapped.v4.sin_port), 32853);
	assert_string_equal(inet_ntop(AF_INET, &m.mapped.v4.sin_addr, text, sizeof(text)),
			    "192.0.2.1");
	assert_true(stun_verify(&m, STUN_SHA1, password_span()));
	assert_int_equal(stun_parse(span_of(answer_v6, sizeof(answer_v6)), &m, NULL), 0);
	assert_int_equal(ntohs(m.mapped.v6.sin6_port), 32853);
	assert_string_equal(inet_ntop(AF_INET6, &m.mapped.v6.sin6_addr, text, sizeof(text)),
			    "2001:db8:1234:5678:11:2233:4455:6677");
	assert_true(stun_verify(&m, STUN_SHA1, password_span()));
}

static struct stun_message check(void)
{
	struct stun_message m = {
		.class = STUN_REQUEST,
		.transaction = { TRANSACTION },
		.username = span_of_str("one:two"),
		.has_priority = true,
		.priority = 1,
		.use_candidate = true,
		.role = STUN_CONTROLLING,
		.tie_breaker = UINT64_MAX - 1,
	};

	return m;
}

static void what_is_written_is_read(void **state)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(2 * STUN_MESSAGE_MAX);
	struct stun_message m = check(), again;

	(void)state;
	for (enum stun_integrity i = 0; i < STUN_INTEGRITY_COUNT; i++) {
		buf_clear(&b);
		assert_true(stun_format(&m, i, password_span(), &b));
		assert_true(stun_is(buf_span(&b)));
		assert_int_equal(stun_parse(buf_span(&b), &again, NULL), 0);
		assert_true(span_equal(again.username, m.username));
		assert_true(again.use_candidate && again.has_fingerprint);
		assert_int_equal(again.role, STUN_CONTROLLING);
		assert_true(again.tie_breaker == m.tie_breaker);
		assert_memory_equal(again.transaction, m.transaction, STUN_TRANSACTION_LEN);
		for (enum stun_integrity j = 0; j < STUN_INTEGRITY_COUNT; j++)
			assert_int_equal(stun_verify(&again, j, password_span()), i == j);
	}
}

static void an_error_carries_its_code(void **state)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(STUN_MESSAGE_MAX);
	struct stun_message m = { .class = STUN_ERROR, .error = STUN_ROLE_CONFLICT }, again;

	(void)state;
	assert_true(stun_format(&m, STUN_SHA256, password_span(), &b));
	assert_int_equal(stun_parse(buf_span(&b), &again, NULL), 0);
	assert_int_equal(again.class, STUN_ERROR);
	assert_int_equal(again.error, STUN_ROLE_CONFLICT);
}

static void a_changed_byte_is_noticed(void **state)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(STUN_MESSAGE_MAX);
	struct stun_message m = check(), again;

	(void)state;
	assert_true(stun_format(&m, STUN_SHA256, password_span(), &b));
	for (size_t i = 0; i < buf_len(&b); i++) {
		b.mem[i] ^= 1;
		/* The fingerprint may have become another attribute, which is skipped. */
		assert_true(stun_parse(buf_span(&b), &again, NULL) < 0 || !again.has_fingerprint);
		b.mem[i] ^= 1;
	}
	assert_int_equal(stun_parse(buf_span(&b), &again, NULL), 0);
}

/* A message without integrity or fingerprint: a header and these attributes. */
static struct span message_of(uint16_t type, const char *attributes, size_t len,
			      uint8_t out[STUN_MESSAGE_MAX])
{
	const uint8_t header[] = { (uint8_t)(type >> 8), (uint8_t)type, 0,
				   (uint8_t)len,	 COOKIE,	TRANSACTION };

	memcpy(out, header, sizeof(header));
	memcpy(out + sizeof(header), attributes, len);
	return span_of(out, sizeof(header) + len);
}

static const struct {
	uint16_t type;
	const char *attributes;
	size_t len;
	enum err_kind kind;
} samples[] = {
	{ 0x0001, "", 0, ERR_NONE },
	{ 0x0001, "\x00\x06\x00\x00", 4, ERR_PROTOCOL }, /* an empty username */
	{ 0x0001,
	  "\x00\x06\x00\x05"
	  "abcd",
	  8, ERR_PROTOCOL }, /* cut short */
	{ 0x0001,
	  "\x00\x06\x00\x04"
	  "abc",
	  7, ERR_PROTOCOL }, /* not a multiple of four */
	{ 0x0001,
	  "\x00\x24\x00\x03"
	  "abc\0",
	  8, ERR_PROTOCOL }, /* a short priority */
	{ 0x0001,
	  "\x00\x25\x00\x01"
	  "a\0\0\0",
	  8, ERR_PROTOCOL },
	{ 0x0001,
	  "\x80\x29\x00\x04"
	  "abcd",
	  8, ERR_PROTOCOL },
	{ 0x0001,
	  "\x00\x08\x00\x04"
	  "abcd",
	  8, ERR_PROTOCOL },
	{ 0x0001,
	  "\x80\x28\x00\x04"
	  "abcd",
	  8, ERR_PROTOCOL },
	{ 0x0101, "\x00\x20\x00\x04\x00\x01\x00\x00", 8, ERR_PROTOCOL },
	{ 0x0101,
	  "\x00\x20\x00\x08\x00\x02\x00\x00"
	  "abcd",
	  12, ERR_PROTOCOL },
	{ 0x0111, "", 0, ERR_PROTOCOL }, /* an error without a code */
	{ 0x0111, "\x00\x09\x00\x04\x00\x00\x07\x00", 8, ERR_PROTOCOL },
	{ 0x0111, "\x00\x09\x00\x04\x00\x00\x04\x64", 8, ERR_PROTOCOL },
	{ 0x0003, "", 0, ERR_UNSUPPORTED }, /* Allocate, of TURN */
	{ 0x0001,
	  "\x80\xff\x00\x01"
	  "a\0\0\0",
	  8, ERR_NONE },
};

static void what_is_malformed_is_refused(void **state)
{
	uint8_t bytes[STUN_MESSAGE_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		struct stun_message m;
		struct err err = { 0 };
		int rv = stun_parse(
			message_of(samples[i].type, samples[i].attributes, samples[i].len, bytes),
			&m, &err);

		assert_int_equal(rv, samples[i].kind == ERR_NONE ? 0 : -1);
		assert_int_equal(err.kind, samples[i].kind);
	}
}

static void an_attribute_that_must_be_known_is_told(void **state)
{
	uint8_t bytes[STUN_MESSAGE_MAX];
	struct stun_message m;

	(void)state;
	assert_int_equal(
		stun_parse(message_of(0x0001, "\x00\x33\x00\x00\x00\x34\x00\x00", 8, bytes), &m,
			   NULL),
		0);
	assert_int_equal(m.unknown, 0x33);
}

static void what_follows_the_integrity_is_not_believed(void **state)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(STUN_MESSAGE_MAX);
	struct stun_message m = { .class = STUN_REQUEST, .username = span_of_str("me") }, again;
	static const uint8_t use_candidate[] = { 0x00, 0x25, 0x00, 0x00 };

	(void)state;
	assert_true(stun_format(&m, STUN_SHA256, password_span(), &b));
	/* Somebody on the way puts an attribute into the place of the fingerprint. */
	buf_truncate(&b, buf_len(&b) - 8);
	assert_true(buf_append(&b, use_candidate, sizeof(use_candidate)));
	b.mem[3] = (uint8_t)(buf_len(&b) - 20);
	assert_int_equal(stun_parse(buf_span(&b), &again, NULL), 0);
	assert_true(stun_verify(&again, STUN_SHA256, password_span()));
	assert_false(again.use_candidate);
}

static void quic_is_not_taken_for_it(void **state)
{
	uint8_t bytes[STUN_MESSAGE_MAX + 4] = { 0 };
	struct span packet = message_of(0x0001, "", 0, bytes);

	(void)state;
	assert_true(stun_is(packet));
	for (unsigned int first = 4; first < 256; first++) {
		bytes[0] = (uint8_t)first;
		assert_false(stun_is(packet));
	}
	bytes[0] = 0;
	for (size_t len = 0; len < packet.len; len++)
		assert_false(stun_is(span_of(bytes, len)));
	assert_false(stun_is(span_of(bytes, packet.len + 4)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sample_request_is_read),
		cmocka_unit_test(the_sample_answers_tell_the_mapped_address),
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(an_error_carries_its_code),
		cmocka_unit_test(a_changed_byte_is_noticed),
		cmocka_unit_test(what_is_malformed_is_refused),
		cmocka_unit_test(an_attribute_that_must_be_known_is_told),
		cmocka_unit_test(what_follows_the_integrity_is_not_believed),
		cmocka_unit_test(quic_is_not_taken_for_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
