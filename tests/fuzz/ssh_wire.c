/* SPDX-License-Identifier: MIT */
/* The reader of SSH's types, driven by the first bytes, on the rest; and a client's proposal. */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

#include "tunnel/ssh/proposal.h"
#include "tunnel/ssh/wire.h"

#define READS 16

static bool is_inside(struct span s, struct span all)
{
	return s.len == 0 || (s.ptr >= all.ptr && s.ptr + s.len <= all.ptr + all.len);
}

static void read_one(struct wire *r, uint8_t what, struct span all)
{
	struct span s = { 0 };
	char *text;

	switch (what % 6) {
	case 0:
		wire_u8(r);
		break;
	case 1:
		wire_u32(r);
		break;
	case 2:
		s = wire_string(r, what);
		assert(s.len <= what);
		break;
	case 3:
		text = wire_text(r, what);
		assert((text == NULL) == r->bad && (!text || strlen(text) <= what));
		free(text);
		break;
	case 4:
		s = wire_bytes(r, what);
		assert(s.len == 0 || s.len == what);
		break;
	default:
		s = wire_rest(r);
		assert(r->left.len == 0 || r->bad);
	}
	assert(is_inside(s, all));
}

static void read_list(struct span list)
{
	size_t names = 0, commas = 0;

	for (size_t i = 0; i < list.len; i++)
		commas += list.ptr[i] == ',';
	while (list.len > 0) {
		wire_list_next(&list);
		names++;
	}
	assert(names <= commas + 1);
}

static void round_trip_mpint(struct span magnitude)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(magnitude.len + 8);
	struct wire r;
	struct span s;

	wire_put_mpint(&b, magnitude);
	r = wire_of(buf_span(&b));
	s = wire_string(&r, SIZE_MAX);
	assert(wire_end(&r));
	assert(s.len == 0 || !(s.ptr[0] & 0x80));
	while (s.len && s.ptr[0] == 0)
		span_cut(&s, 1);
	while (magnitude.len && magnitude.ptr[0] == 0)
		span_cut(&magnitude, 1);
	assert(span_equal(s, magnitude));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct span all = span_of(bytes, len), rest = all;
	struct proposal proposal = { 0 };
	struct wire r;

	if (proposal_choose(all, &proposal, NULL) == 0)
		assert(proposal.exchange && proposal.in && proposal.out);
	if (len < READS)
		return 0;
	span_cut(&rest, READS);
	r = wire_of(rest);
	for (size_t i = 0; i < READS; i++) {
		bool bad = r.bad;

		read_one(&r, bytes[i], all);
		assert(!bad || r.bad);
	}
	read_list(rest);
	round_trip_mpint(rest);
	return 0;
}
