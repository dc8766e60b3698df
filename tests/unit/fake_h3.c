/* SPDX-License-Identifier: MIT */
/* Streams in memory; see fake_h3.h. */
#include "tests/unit/fake_h3.h"

#include <assert.h>

#include "init/base/alloc.h"
#include "init/base/secret.h"

/* Small and odd, so that what is reserved often ends in the middle of something. */
#define CHUNK 50021

struct h3_stream *fake_h3_new(void)
{
	struct h3_stream *stream = new_zero(struct h3_stream);

	buf_init(&stream->error, ERR_TEXT_MAX);
	buf_init(&stream->send, H3_SEND_MAX);
	stream->heard_at = UINT64_MAX;
	return stream;
}

struct h3_stream *fake_h3_close(struct h3_stream *stream)
{
	struct err why;

	err_set(&why, ERR_UNAVAILABLE, "gone");
	if (stream->ops && stream->ops->closed)
		stream->ops->closed(stream, stream->user, stream->reset ? &why : NULL);
	buf_finish(&stream->error);
	buf_finish(&stream->send);
	free(stream);
	return NULL;
}

size_t fake_h3_send(struct h3_stream *stream, struct span bytes)
{
	size_t len = MIN(bytes.len, (size_t)FAKE_H3_WINDOW - stream->unconsumed);

	if (len == 0)
		return 0;
	stream->unconsumed += len;
	if (stream->ops && stream->ops->body)
		stream->ops->body(stream, stream->user, span_of(bytes.ptr, len));
	else
		h3_stream_consumed(stream, len);
	return len;
}

void fake_h3_send_end(struct h3_stream *stream)
{
	if (stream->ops && stream->ops->end)
		stream->ops->end(stream, stream->user);
}

void fake_h3_taken(struct h3_stream *stream, size_t len)
{
	buf_consume(&stream->send, len);
	if (!stream->starved || buf_len(&stream->send) > H3_SEND_MAX / 2 || stream->ended)
		return;
	stream->starved = false;
	if (stream->ops && stream->ops->writable)
		stream->ops->writable(stream, stream->user);
}

void h3_stream_set_ops(struct h3_stream *stream, const struct h3_stream_ops *ops, void *user)
{
	stream->ops = ops;
	stream->user = user;
}

void h3_stream_respond(struct h3_stream *stream, int status)
{
	assert(stream->status == 0 && !stream->reset);
	stream->status = status;
}

void h3_stream_reject(struct h3_stream *stream, const struct err *why)
{
	static const struct h3_stream_ops nobody = { 0 };

	h3_stream_respond(stream, err_http_status(why));
	assert(buf_append_span(&stream->error, span_of_str(why->text)));
	h3_stream_set_ops(stream, &nobody, NULL);
	stream->ended = true;
}

size_t h3_stream_room(struct h3_stream *stream)
{
	if (buf_len(&stream->send) > H3_SEND_MAX / 2)
		stream->starved = true;
	return stream->ended ? 0 : buf_room(&stream->send);
}

static void note_most(struct h3_stream *stream)
{
	stream->send_max = MAX(stream->send_max, buf_len(&stream->send));
}

bool h3_stream_write(struct h3_stream *stream, struct span bytes)
{
	assert(!stream->lent && !stream->ended);
	if (bytes.len > h3_stream_room(stream)) {
		stream->starved = true;
		return false;
	}
	assert(buf_append_span(&stream->send, bytes));
	note_most(stream);
	return true;
}

struct h3_space h3_stream_reserve(struct h3_stream *stream, size_t want)
{
	size_t len = MIN(want, h3_stream_room(stream));

	assert(!stream->lent && !stream->ended);
	len = MIN(len, (size_t)CHUNK - stream->send.tail % CHUNK);
	if (len == 0)
		return (struct h3_space){ 0 };
	stream->lent = true;
	return (struct h3_space){ .ptr = buf_reserve(&stream->send, len), .len = len };
}

void h3_stream_commit(struct h3_stream *stream, size_t len)
{
	/* A commit of nothing after nothing was lent is harmless. */
	assert(stream->lent || len == 0);
	stream->lent = false;
	buf_commit(&stream->send, len);
	note_most(stream);
}

void h3_stream_end(struct h3_stream *stream)
{
	assert(!stream->lent);
	stream->ended = true;
}

void h3_stream_reset(struct h3_stream *stream)
{
	stream->reset = true;
}

void h3_stream_consumed(struct h3_stream *stream, size_t len)
{
	assert(len <= stream->unconsumed);
	stream->unconsumed -= len;
	stream->consumed += len;
}

int h3_stream_export(const struct h3_stream *stream, const char *label, struct secret *ret,
		     struct err *err)
{
	(void)stream;
	(void)label;
	(void)err;
	*ret = (struct secret){ { 1 } };
	return 0;
}

uint64_t h3_stream_heard_at(const struct h3_stream *stream)
{
	return stream->heard_at;
}
