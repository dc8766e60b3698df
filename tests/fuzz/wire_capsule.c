/* SPDX-License-Identifier: MIT */
/*
 * The capsule reader: however the bytes are split, the same capsules come out, and none is larger
 * than allowed. The first byte of the input chooses the split.
 */
#include "tests/fuzz/fuzz.h"

#include "tunnel/wire/capsule.h"

#define VALUE_MAX 512

struct seen {
	uint64_t sum;
	size_t whole;
};

static void mix(struct seen *seen, uint64_t type, struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++)
		seen->sum = (seen->sum ^ bytes.ptr[i] ^ type) * UINT64_C(0x100000001b3);
}

static bool is_stream(void *user, uint64_t type)
{
	(void)user;
	return type % 2 == 0;
}

static void piece(void *user, uint64_t type, struct span bytes)
{
	mix(user, type, bytes);
}

static int whole(void *user, uint64_t type, struct span value, struct err *err)
{
	struct seen *seen = user;

	assert(value.len <= VALUE_MAX);
	mix(seen, type, value);
	seen->whole++;
	return type == 13 ? err_set(err, ERR_PROTOCOL, "refused") : 0;
}

static const struct capsule_ops ops = { .is_stream = is_stream, .piece = piece, .whole = whole };

static int feed(struct span input, size_t step, struct seen *seen)
{
	struct capsule_reader r;
	struct err err;
	int result = 0;

	capsule_reader_init(&r, &ops, seen, VALUE_MAX);
	while (input.len > 0 && result == 0)
		result = capsule_reader_feed(&r, span_cut(&input, MIN(step, input.len)), &err);
	capsule_reader_finish(&r);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct seen at_once = { 0 }, split = { 0 };
	struct span input = span_of(bytes, len);
	size_t step;

	if (len == 0)
		return 0;
	step = 1 + span_cut(&input, 1).ptr[0] % 64;
	assert(feed(input, SIZE_MAX, &at_once) == feed(input, step, &split));
	assert(at_once.sum == split.sum && at_once.whole == split.whole);
	return 0;
}
