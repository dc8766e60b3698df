/* SPDX-License-Identifier: MIT */
/* The values of listen capsules: what is accepted survives formatting and parsing again. */
#include "tests/fuzz/fuzz.h"

#include "tunnel/wire/listen.h"
#include "tunnel/wire/varint.h"

static struct span value_of(const struct buf *b)
{
	struct span s = buf_span(b);
	uint64_t type, len;
	bool is_capsule = varint_read(&s, &type) && varint_read(&s, &len) && len == s.len;

	assert(is_capsule);
	return s;
}

static bool same(const struct listen_address *a, const struct listen_address *b)
{
	return span_equal(a->address, b->address) && a->port == b->port;
}

static void try_start(struct span value)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(2 * LISTEN_VALUE_MAX);
	struct listen_start start, again;
	struct err err;
	int parsed;

	if (listen_start_parse(value, &start, &err) < 0)
		return;
	assert(start.address.len <= LISTEN_ADDRESS_MAX);
	if (!listen_start_format(&start, &b))
		assert(false);
	parsed = listen_start_parse(value_of(&b), &again, &err);
	assert(parsed == 0 && start.kind == again.kind && start.port == again.port);
	assert(span_equal(start.address, again.address));
}

static void try_addresses(struct span value)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(2 * LISTEN_VALUE_MAX);
	struct listen_address address, again;
	uint64_t id, id_again;
	struct err err;
	int parsed;

	if (listen_listening_parse(value, &address, &err) == 0) {
		if (!listen_listening_format(&address, &b))
			assert(false);
		parsed = listen_listening_parse(value_of(&b), &again, &err);
		assert(parsed == 0 && same(&address, &again));
	}
	buf_clear(&b);
	if (listen_accepted_parse(value, &id, &address, &err) < 0)
		return;
	if (!listen_accepted_format(id, &address, &b))
		assert(false);
	parsed = listen_accepted_parse(value_of(&b), &id_again, &again, &err);
	assert(parsed == 0 && id == id_again && same(&address, &again));
}

static void try_refuse(struct span value)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(64);
	uint64_t id, again;
	struct err err;
	int parsed;

	if (listen_refuse_parse(value, &id, &err) < 0)
		return;
	if (!listen_refuse_format(id, &b))
		assert(false);
	parsed = listen_refuse_parse(value_of(&b), &again, &err);
	assert(parsed == 0 && id == again);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct span input = span_of(bytes, len);

	try_start(input);
	try_addresses(input);
	try_refuse(input);
	return 0;
}
