/* SPDX-License-Identifier: MIT */
/* The values of a relay's capsules: what is accepted survives formatting and parsing again. */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "tunnel/wire/relay.h"
#include "tunnel/wire/varint.h"

static struct span value_of(const struct buf *b)
{
	struct span s = buf_span(b);
	uint64_t type, len;
	bool is_capsule = varint_read(&s, &type) && varint_read(&s, &len) && len == s.len;

	assert(is_capsule);
	return s;
}

static void must(bool done)
{
	if (!done)
		assert(false);
}

static void try_hello(struct span value)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(2 * RELAY_VALUE_MAX);
	struct relay_hello hello, again;
	struct err err;

	if (relay_hello_parse(value, &hello, &err) < 0)
		return;
	assert(hello.token.len <= RELAY_TOKEN_MAX);
	must(relay_hello_format(&hello, &b));
	must(relay_hello_parse(value_of(&b), &again, &err) == 0);
	assert(span_equal(hello.token, again.token));
	again.token = hello.token;
	assert(memcmp(&hello, &again, sizeof(hello)) == 0);
}

static void try_welcome(struct span value)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(2 * RELAY_VALUE_MAX);
	struct relay_welcome welcome, again;
	struct relay_address address;
	struct err err;

	if (relay_observed_parse(value, &address, &err) == 0) {
		must(relay_observed_format(&address, &b));
		must(relay_observed_parse(value_of(&b), &again.second, &err) == 0);
		assert(relay_address_equal(&address, &again.second));
	}
	buf_clear(&b);
	if (relay_welcome_parse(value, &welcome, &err) < 0)
		return;
	must(relay_welcome_format(&welcome, &b));
	must(relay_welcome_parse(value_of(&b), &again, &err) == 0);
	assert(relay_address_equal(&welcome.observed, &again.observed));
	assert(relay_address_equal(&welcome.second, &again.second));
	assert(welcome.keep_alive_ms == again.keep_alive_ms);
}

static void try_refused(struct span value)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(2 * RELAY_VALUE_MAX);
	struct relay_refused refused, again;
	uint32_t ms, ms_again;
	struct err err;

	if (relay_drain_parse(value, &ms, &err) == 0) {
		must(relay_drain_format(ms, &b));
		must(relay_drain_parse(value_of(&b), &ms_again, &err) == 0);
		assert(ms == ms_again);
	}
	buf_clear(&b);
	if (relay_refused_parse(value, &refused, &err) < 0)
		return;
	must(relay_code_text(refused.code) != NULL);
	must(relay_refused_format(&refused, &b));
	must(relay_refused_parse(value_of(&b), &again, &err) == 0);
	assert(refused.code == again.code && refused.retry_ms == again.retry_ms);
	assert(span_equal(refused.text, again.text));
}

static void try_small(struct span value)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(2 * RELAY_VALUE_MAX);
	uint8_t bytes[RELAY_BINDING_LEN];
	struct relay_peer peer, again;
	struct err err;

	must(relay_ping_parse(value, bytes, &err) < 0 || value.len == RELAY_PING_LEN);
	must(relay_challenge_parse(value, bytes, &err) < 0 || value.len == RELAY_BINDING_LEN);
	if (relay_peer_parse(value, &peer, &err) < 0)
		return;
	must(relay_peer_format(&peer, &b));
	must(relay_peer_parse(value_of(&b), &again, &err) == 0);
	assert(memcmp(peer.tag, again.tag, sizeof(peer.tag)) == 0);
	assert(peer.is_here == again.is_here);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct span input = span_of(bytes, len);

	try_hello(input);
	try_welcome(input);
	try_refused(input);
	try_small(input);
	return 0;
}
