/* SPDX-License-Identifier: MIT */
/* Numbers and strings in capsules; see value.h. */
#include "value.h"

#include "varint.h"

int value_read_uint(struct span *s, uint64_t max, uint64_t *ret, struct err *err, const char *what)
{
	uint64_t v = 0;

	if (!varint_read(s, &v))
		return err_set(err, ERR_PROTOCOL, "%s is cut short", what);
	if (v > max)
		return err_set(err, ERR_PROTOCOL, "%s is larger than %llu", what,
			       (unsigned long long)max);
	*ret = v;
	return 0;
}

int value_read_string(struct span *s, struct span *ret, struct err *err, const char *what)
{
	uint64_t len;

	if (!varint_read(s, &len) || len > s->len)
		return err_set(err, ERR_PROTOCOL, "%s is cut short", what);
	*ret = span_cut(s, (size_t)len);
	return 0;
}

int value_end(struct span rest, struct err *err)
{
	if (rest.len > 0)
		return err_set(err, ERR_PROTOCOL, "%zu bytes too many", rest.len);
	return 0;
}

bool value_append_string(struct buf *b, struct span s)
{
	return varint_append(b, s.len) && buf_append_span(b, s);
}
