/* SPDX-License-Identifier: MIT */
/* The Capsule Protocol; see capsule.h. */
#include "capsule.h"

#include <inttypes.h>
#include <string.h>

#include "varint.h"

void capsule_reader_init(struct capsule_reader *r, const struct capsule_ops *ops, void *user,
			 size_t value_max)
{
	*r = (struct capsule_reader){ .ops = ops, .user = user, .value = BUF_INIT(value_max) };
}

void capsule_reader_finish(struct capsule_reader *r)
{
	buf_finish(&r->value);
}

/* Hands on a value that is complete, and returns to the boundary before the next capsule. */
static int finish_value(struct capsule_reader *r, struct span value, struct err *err)
{
	r->in_value = false;
	r->head_len = 0;
	if (r->streaming)
		return 0;
	return r->ops->whole(r->user, r->type, value, err);
}

static int begin_value(struct capsule_reader *r, struct err *err)
{
	r->streaming = r->ops->is_stream(r->user, r->type);
	if (!r->streaming && r->left > r->value.max)
		return err_set(err, ERR_LIMIT,
			       "capsule 0x%" PRIx64 " has %" PRIu64 " bytes, more than %zu",
			       r->type, r->left, r->value.max);
	r->in_value = true;
	if (r->left == 0)
		return finish_value(r, (struct span){ 0 }, err);
	return 0;
}

/* Takes one byte of type and length. */
static int feed_head(struct capsule_reader *r, struct span *bytes, struct err *err)
{
	struct span head;

	r->head[r->head_len++] = span_cut(bytes, 1).ptr[0];
	head = span_of(r->head, r->head_len);
	/* Two varints are complete after 16 bytes at the latest, so the head cannot overflow. */
	if (!varint_read(&head, &r->type) || !varint_read(&head, &r->left))
		return 0;
	return begin_value(r, err);
}

static int feed_value(struct capsule_reader *r, struct span *bytes, struct err *err)
{
	struct span part = span_cut(bytes, bytes->len < r->left ? bytes->len : (size_t)r->left);
	int result;

	r->left -= part.len;
	if (r->streaming) {
		r->ops->piece(r->user, r->type, part);
		return r->left > 0 ? 0 : finish_value(r, part, err);
	}
	/* A value that arrived in one piece is not copied. */
	if (r->left == 0 && buf_len(&r->value) == 0)
		return finish_value(r, part, err);
	if (!buf_append_span(&r->value, part))
		return err_set(err, ERR_LIMIT, "capsule 0x%" PRIx64 " is too long", r->type);
	if (r->left > 0)
		return 0;
	result = finish_value(r, buf_span(&r->value), err);
	buf_clear(&r->value);
	return result;
}

int capsule_reader_feed(struct capsule_reader *r, struct span bytes, struct err *err)
{
	while (bytes.len > 0) {
		if (r->in_value ? feed_value(r, &bytes, err) < 0 : feed_head(r, &bytes, err) < 0)
			return -1;
	}
	return 0;
}

bool capsule_reader_at_boundary(const struct capsule_reader *r)
{
	return !r->in_value && r->head_len == 0;
}

size_t capsule_put_head(uint64_t type, uint64_t len, uint8_t *out)
{
	size_t type_len = varint_put(type, out);

	return type_len + varint_put(len, out + type_len);
}

bool capsule_append(struct buf *b, uint64_t type, struct span value)
{
	uint8_t head[CAPSULE_HEAD_MAX];
	size_t head_len = capsule_put_head(type, value.len, head);

	if (buf_room(b) < head_len || buf_room(b) - head_len < value.len)
		return false;
	return buf_append(b, head, head_len) && buf_append_span(b, value);
}
