/* SPDX-License-Identifier: MIT */
/* The values of punch capsules: what is accepted survives formatting and parsing again. */
#include "tests/fuzz/fuzz.h"

#include "tunnel/wire/punch.h"
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

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct span input = span_of(bytes, len);
	cleanup(buf_finish) struct buf b = BUF_INIT(2 * PUNCH_VALUE_MAX);
	struct punch_candidate candidate, again;
	uint64_t number, number_again;

	if (punch_round_parse(input, &number, NULL) == 0) {
		must(punch_round_format(number, &b));
		must(punch_round_parse(value_of(&b), &number_again, NULL) == 0);
		assert(number == number_again);
	}
	buf_clear(&b);
	if (punch_candidate_parse(input, &candidate, NULL) < 0)
		return 0;
	must(punch_candidate_format(&candidate, &b));
	must(punch_candidate_parse(value_of(&b), &again, NULL) == 0);
	assert(candidate.kind == again.kind);
	assert(relay_address_equal(&candidate.address, &again.address));
	return 0;
}
