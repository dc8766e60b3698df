/* SPDX-License-Identifier: MIT */
/* Variable-length integers; see varint.h. */
#include "varint.h"

#include <assert.h>

bool varint_read(struct span *s, uint64_t *ret)
{
	size_t len;
	uint64_t v;

	if (s->len == 0)
		return false;
	/* The two highest bits of the first byte are the logarithm of the length. */
	len = (size_t)1 << (s->ptr[0] >> 6);
	if (s->len < len)
		return false;
	v = s->ptr[0] & 0x3f;
	for (size_t i = 1; i < len; i++)
		v = v << 8 | s->ptr[i];
	span_cut(s, len);
	*ret = v;
	return true;
}

size_t varint_len(uint64_t v)
{
	if (v < UINT64_C(1) << 6)
		return 1;
	if (v < UINT64_C(1) << 14)
		return 2;
	if (v < UINT64_C(1) << 30)
		return 4;
	return 8;
}

size_t varint_put_fixed(uint64_t v, size_t len, uint8_t *out)
{
	static const uint8_t tags[] = { [1] = 0x00, [2] = 0x40, [4] = 0x80, [8] = 0xc0 };

	assert(v <= VARINT_MAX && varint_len(v) <= len);
	for (size_t i = len; i-- > 0; v >>= 8)
		out[i] = (uint8_t)v;
	out[0] |= tags[len];
	return len;
}

size_t varint_put(uint64_t v, uint8_t *out)
{
	return varint_put_fixed(v, varint_len(v), out);
}

bool varint_append(struct buf *b, uint64_t v)
{
	uint8_t bytes[VARINT_LEN_MAX];

	return buf_append(b, bytes, varint_put(v, bytes));
}
