/* SPDX-License-Identifier: MIT */
/* SSH's data types; see wire.h. */
#include "wire.h"

#include <assert.h>

#include "init/base/alloc.h"

struct span wire_bytes(struct wire *r, size_t len)
{
	if (r->bad || len > r->left.len) {
		r->bad = true;
		return (struct span){ 0 };
	}
	return span_cut(&r->left, len);
}

uint8_t wire_u8(struct wire *r)
{
	struct span s = wire_bytes(r, 1);

	return s.len ? s.ptr[0] : 0;
}

uint32_t wire_u32(struct wire *r)
{
	struct span s = wire_bytes(r, 4);

	return s.len ? wire_load_u32(s.ptr) : 0;
}

bool wire_bool(struct wire *r)
{
	return wire_u8(r) != 0;
}

struct span wire_string(struct wire *r, size_t max)
{
	uint32_t len = wire_u32(r);

	if (len > max)
		r->bad = true;
	return wire_bytes(r, len);
}

char *wire_text(struct wire *r, size_t max)
{
	struct span s = wire_string(r, max);

	if (s.len && memchr(s.ptr, 0, s.len))
		r->bad = true;
	return r->bad ? NULL : str_dup_len(s.len ? (const char *)s.ptr : "", s.len);
}

struct span wire_rest(struct wire *r)
{
	return wire_bytes(r, r->left.len);
}

bool wire_end(const struct wire *r)
{
	return !r->bad && r->left.len == 0;
}

static void fits(bool ok)
{
	assert(ok);
	(void)ok;
}

void wire_put_u8(struct buf *b, uint8_t v)
{
	fits(buf_append_u8(b, v));
}

void wire_put_u32(struct buf *b, uint32_t v)
{
	fits(buf_append_u32(b, v));
}

void wire_put_string(struct buf *b, struct span s)
{
	assert(s.len <= UINT32_MAX);
	wire_put_u32(b, (uint32_t)s.len);
	fits(buf_append_span(b, s));
}

void wire_put_text(struct buf *b, const char *s)
{
	wire_put_string(b, span_of_str(s));
}

void wire_put_mpint(struct buf *b, struct span magnitude)
{
	bool sign;

	while (magnitude.len && magnitude.ptr[0] == 0)
		span_cut(&magnitude, 1);
	/* A first bit that is set would read as a negative number. */
	sign = magnitude.len && magnitude.ptr[0] & 0x80;
	wire_put_u32(b, (uint32_t)(magnitude.len + sign));
	if (sign)
		wire_put_u8(b, 0);
	fits(buf_append_span(b, magnitude));
}

struct span wire_list_next(struct span *list)
{
	const uint8_t *comma = list->len ? memchr(list->ptr, ',', list->len) : NULL;
	struct span name;

	if (!comma)
		return span_cut(list, list->len);
	name = span_cut(list, (size_t)(comma - list->ptr));
	span_cut(list, 1);
	return name;
}

bool wire_list_has(struct span list, struct span name)
{
	while (list.len > 0)
		if (span_equal(wire_list_next(&list), name))
			return true;
	return false;
}
