/* SPDX-License-Identifier: MIT */
#include "tests/unit/unit.h"

#include <string.h>

#include "init/base/text.h"
#include "tunnel/wire/relay.h"
#include "tunnel/wire/varint.h"

/* Cuts the head off the one capsule in *b. */
static struct span value_of(const struct buf *b, uint64_t type)
{
	struct span s = buf_span(b);
	uint64_t read_type = 0, len = 0;

	assert_true(varint_read(&s, &read_type));
	assert_true(varint_read(&s, &len));
	assert_int_equal(read_type, type);
	assert_int_equal(len, s.len);
	return s;
}

static struct relay_hello hello_of(enum relay_role role)
{
	struct relay_hello hello = { .role = role, .token = span_of_str("token-1") };

	memset(hello.tag, 1, sizeof(hello.tag));
	memset(hello.id, 2, sizeof(hello.id));
	if (role == RELAY_JOB) {
		memset(hello.key, 3, sizeof(hello.key));
		memset(hello.signature, 4, sizeof(hello.signature));
	}
	return hello;
}

static void a_hello_survives_the_wire(void **state)
{
	(void)state;
	for (int role = RELAY_JOB; role <= RELAY_CLIENT; role++) {
		struct relay_hello hello = hello_of((enum relay_role)role), again;
		cleanup(buf_finish) struct buf b = BUF_INIT(1024);

		assert_true(relay_hello_format(&hello, &b));
		assert_int_equal(relay_hello_parse(value_of(&b, RELAY_HELLO), &again, NULL), 0);
		assert_true(span_equal(again.token, hello.token));
		again.token = hello.token;
		assert_memory_equal(&again, &hello, sizeof(hello));
	}
}

static void a_client_sends_neither_key_nor_signature(void **state)
{
	struct relay_hello hello = hello_of(RELAY_CLIENT);
	cleanup(buf_finish) struct buf b = BUF_INIT(1024);

	(void)state;
	assert_true(relay_hello_format(&hello, &b));
	assert_int_equal(value_of(&b, RELAY_HELLO).len, 1 + 8 + 32 + 1 + 7);
}

static void what_a_relay_says_survives_the_wire(void **state)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(1024);
	const struct relay_welcome welcome = {
		.observed = { .family = 6, .bytes = { 0x20, 0x01, 0x0d, 0xb8 }, .port = 443 },
		.second = { .family = 4, .bytes = { 192, 0, 2, 1 }, .port = 3478 },
		.keep_alive_ms = 25000,
	};
	const struct relay_peer peer = { .tag = { 1, 2, 3 }, .is_here = true };
	const struct relay_refused refused = { RELAY_CODE_TOKEN, 500, span_of_str("no") };
	struct relay_welcome welcome_again;
	struct relay_address observed;
	struct relay_peer peer_again;
	struct relay_refused refused_again;
	uint32_t ms;

	(void)state;
	assert_true(relay_welcome_format(&welcome, &b));
	assert_int_equal(relay_welcome_parse(value_of(&b, RELAY_WELCOME), &welcome_again, NULL), 0);
	assert_true(relay_address_equal(&welcome.observed, &welcome_again.observed));
	assert_true(relay_address_equal(&welcome.second, &welcome_again.second));
	assert_int_equal(welcome_again.keep_alive_ms, 25000);
	buf_clear(&b);
	assert_true(relay_observed_format(&welcome.second, &b));
	assert_int_equal(relay_observed_parse(value_of(&b, RELAY_OBSERVED), &observed, NULL), 0);
	assert_true(relay_address_equal(&observed, &welcome.second));
	assert_false(relay_address_equal(&observed, &welcome.observed));
	buf_clear(&b);
	assert_true(relay_peer_format(&peer, &b));
	assert_int_equal(relay_peer_parse(value_of(&b, RELAY_PEER), &peer_again, NULL), 0);
	assert_memory_equal(&peer_again, &peer, sizeof(peer));
	buf_clear(&b);
	assert_true(relay_refused_format(&refused, &b));
	assert_int_equal(relay_refused_parse(value_of(&b, RELAY_REFUSED), &refused_again, NULL), 0);
	assert_int_equal(refused_again.code, RELAY_CODE_TOKEN);
	assert_int_equal(refused_again.retry_ms, 500);
	assert_true(span_equal(refused_again.text, refused.text));
	buf_clear(&b);
	assert_true(relay_drain_format(RELAY_MS_MAX, &b));
	assert_int_equal(relay_drain_parse(value_of(&b, RELAY_DRAIN), &ms, NULL), 0);
	assert_int_equal(ms, RELAY_MS_MAX);
}

static void pings_and_challenges_have_their_one_length(void **state)
{
	static const uint8_t ping[RELAY_PING_LEN] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	static const uint8_t challenge[RELAY_BINDING_LEN] = { 9 };
	cleanup(buf_finish) struct buf b = BUF_INIT(1024);
	uint8_t bytes[RELAY_BINDING_LEN + 1] = { 0 };

	(void)state;
	assert_true(relay_ping_format(RELAY_PONG, ping, &b));
	assert_int_equal(relay_ping_parse(value_of(&b, RELAY_PONG), bytes, NULL), 0);
	assert_memory_equal(bytes, ping, sizeof(ping));
	buf_clear(&b);
	assert_true(relay_challenge_format(challenge, &b));
	assert_int_equal(relay_challenge_parse(value_of(&b, RELAY_CHALLENGE), bytes, NULL), 0);
	assert_memory_equal(bytes, challenge, sizeof(challenge));
	assert_int_equal(relay_ping_parse(span_of(bytes, 7), bytes, NULL), -1);
	assert_int_equal(relay_challenge_parse(span_of(bytes, 33), bytes, NULL), -1);
}

static int parse(uint64_t type, struct span value, struct err *err)
{
	struct relay_hello hello;
	struct relay_welcome welcome;
	struct relay_address address;
	struct relay_peer peer;
	struct relay_refused refused;
	uint32_t ms;

	switch (type) {
	case RELAY_HELLO:
		return relay_hello_parse(value, &hello, err);
	case RELAY_WELCOME:
		return relay_welcome_parse(value, &welcome, err);
	case RELAY_OBSERVED:
		return relay_observed_parse(value, &address, err);
	case RELAY_PEER:
		return relay_peer_parse(value, &peer, err);
	case RELAY_REFUSED:
		return relay_refused_parse(value, &refused, err);
	default:
		return relay_drain_parse(value, &ms, err);
	}
}

static void what_is_cut_short_or_too_long_is_refused(void **state)
{
	const struct relay_hello job = hello_of(RELAY_JOB), client = hello_of(RELAY_CLIENT);
	const struct relay_address address = { .family = 6, .port = 1 };
	const struct relay_welcome welcome = { address, { .family = 4 }, 1 };
	const struct relay_refused refused = { 1, 70, span_of_str("no") };
	const struct relay_peer peer = { .is_here = true };
	struct buf b[7];
	static const uint64_t types[] = { RELAY_HELLO, RELAY_HELLO,   RELAY_WELCOME, RELAY_OBSERVED,
					  RELAY_PEER,  RELAY_REFUSED, RELAY_DRAIN };
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(b); i++)
		buf_init(&b[i], 1024);
	assert_true(relay_hello_format(&job, &b[0]) && relay_hello_format(&client, &b[1]) &&
		    relay_welcome_format(&welcome, &b[2]) &&
		    relay_observed_format(&address, &b[3]) && relay_peer_format(&peer, &b[4]) &&
		    relay_refused_format(&refused, &b[5]) && relay_drain_format(70, &b[6]));
	for (size_t i = 0; i < ARRAY_LEN(b); i++) {
		struct span value = value_of(&b[i], types[i]);
		uint8_t longer[RELAY_VALUE_MAX];

		assert_int_equal(parse(types[i], value, &err), 0);
		for (size_t len = 0; len < value.len; len++) {
			assert_int_equal(parse(types[i], span_of(value.ptr, len), &err), -1);
			assert_int_equal(err.kind, ERR_PROTOCOL);
		}
		memcpy(longer, value.ptr, value.len);
		longer[value.len] = 0;
		assert_int_equal(parse(types[i], span_of(longer, value.len + 1), &err), -1);
		buf_finish(&b[i]);
	}
}

static void what_has_no_meaning_is_refused(void **state)
{
	static char token[RELAY_TOKEN_MAX + 2];
	struct relay_hello hello = hello_of(RELAY_CLIENT);
	cleanup(buf_finish) struct buf b = BUF_INIT(1024);
	struct err err = { 0 };

	(void)state;
	memset(token, 't', RELAY_TOKEN_MAX + 1);
	hello.token = span_of_str(token);
	assert_true(relay_hello_format(&hello, &b));
	assert_int_equal(relay_hello_parse(value_of(&b, RELAY_HELLO), &hello, &err), -1);
	assert_int_equal(err.kind, ERR_LIMIT);
	/* A third role, a family of addresses that is none, somebody half here. */
	assert_int_equal(parse(RELAY_HELLO, span_of("\x02", 1), &err), -1);
	assert_int_equal(parse(RELAY_OBSERVED, span_of("\x05\x01\x02\x03\x04\x00\x01", 7), &err),
			 -1);
	assert_int_equal(parse(RELAY_PEER, span_of("12345678\x02", 9), &err), -1);
}

static void every_code_has_words_and_a_kind(void **state)
{
	(void)state;
	assert_string_equal(relay_code_text(RELAY_CODE_TAG_TAKEN), "another client has this tag");
	assert_string_equal(relay_code_text(4711), relay_code_text(RELAY_CODE_PROTOCOL));
	assert_int_equal(relay_code_kind(RELAY_CODE_TOKEN), ERR_DENIED);
	assert_int_equal(relay_code_kind(RELAY_CODE_DRAINING), ERR_UNAVAILABLE);
	assert_int_equal(relay_code_kind(RELAY_CODE_LIMIT), ERR_LIMIT);
	assert_int_equal(relay_code_kind(4711), ERR_PROTOCOL);
}

static void a_signature_is_for_one_connection_role_tag_and_id(void **state)
{
	struct relay_hello hello = hello_of(RELAY_JOB);
	uint8_t binding[RELAY_BINDING_LEN] = { 7 }, first[RELAY_SIGNED_LEN],
		second[RELAY_SIGNED_LEN];

	(void)state;
	relay_signed(binding, &hello, first);
	assert_memory_equal(first, "berth relay hello\0\x07", 19);
	assert_int_equal(first[50], RELAY_JOB);
	assert_int_equal(first[51], 1);
	assert_int_equal(first[59], 2);
	binding[31] ^= 1;
	relay_signed(binding, &hello, second);
	assert_memory_not_equal(first, second, sizeof(first));
	binding[31] ^= 1;
	hello.tag[7] ^= 1;
	relay_signed(binding, &hello, second);
	assert_memory_not_equal(first, second, sizeof(first));
	hello.tag[7] ^= 1;
	hello.id[31] ^= 1;
	relay_signed(binding, &hello, second);
	assert_memory_not_equal(first, second, sizeof(first));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hello_survives_the_wire),
		cmocka_unit_test(a_client_sends_neither_key_nor_signature),
		cmocka_unit_test(what_a_relay_says_survives_the_wire),
		cmocka_unit_test(pings_and_challenges_have_their_one_length),
		cmocka_unit_test(what_is_cut_short_or_too_long_is_refused),
		cmocka_unit_test(what_has_no_meaning_is_refused),
		cmocka_unit_test(every_code_has_words_and_a_kind),
		cmocka_unit_test(a_signature_is_for_one_connection_role_tag_and_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
