/* SPDX-License-Identifier: MIT */
/* STUN messages: what is accepted is written again and reads the same. */
#include "tests/fuzz/fuzz.h"

#include "tunnel/ice/stun.h"

static void same(const struct stun_message *a, const struct stun_message *b)
{
	assert(a->class == b->class && a->error == b->error && a->role == b->role);
	assert(memcmp(a->transaction, b->transaction, STUN_TRANSACTION_LEN) == 0);
	assert(span_equal(a->username, b->username));
	assert(a->has_priority == b->has_priority && a->priority == b->priority);
	assert(a->use_candidate == b->use_candidate && a->tie_breaker == b->tie_breaker);
	assert(quic_addr_equal(&a->mapped, &b->mapped));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const struct span key = span_of_str("VOkJxbRl1RmTxUk/WvJxBt");
	cleanup(buf_finish) struct buf b = BUF_INIT(STUN_MESSAGE_MAX);
	struct stun_message m, again;
	bool is_verified;
	int parsed;

	if (stun_parse(span_of(bytes, len), &m, NULL) < 0)
		return 0;
	assert(len > 0 && bytes[0] < 4);
	for (enum stun_integrity i = 0; i < STUN_INTEGRITY_COUNT; i++)
		(void)!stun_verify(&m, i, key);
	/* A message that nearly fills a packet has no room for our integrity. */
	if (!stun_format(&m, STUN_SHA256, key, &b))
		return 0;
	parsed = stun_parse(buf_span(&b), &again, NULL);
	assert(parsed == 0);
	is_verified = stun_verify(&again, STUN_SHA256, key);
	assert(is_verified && again.has_fingerprint);
	same(&m, &again);
	return 0;
}
