/* SPDX-License-Identifier: MIT */
/* What comes from the job on its way to whoever reads; see output.h. */
#include "output.h"

#include <string.h>

/* The credit of the stream is far smaller. */
#define PENDING_MAX (64 * 1024 * 1024)
/* A longer line is cut into several. */
#define LINE_MAX_LEN (16 * 1024)

static void flush(struct output *o)
{
	while (buf_len(&o->pending) > 0 && !o->broken) {
		ssize_t len = stdfd_write(&o->io, buf_span(&o->pending));

		if (len == 0)
			break;
		if (len > 0)
			buf_consume(&o->pending, (size_t)len);
		else
			o->broken = true;
	}
	if (o->broken) {
		buf_clear(&o->pending);
		buf_clear(&o->line);
	}
	stdfd_want(&o->io, buf_len(&o->pending) > 0);
}

static void on_ready(struct stdfd *io)
{
	struct output *o = container_of(io, struct output, io);

	flush(o);
	o->moved(o);
}

static const struct stdfd_ops ops = { on_ready };

int output_open(struct output *o, uv_loop_t *loop, int given, struct err *err)
{
	buf_init(&o->pending, PENDING_MAX);
	buf_init(&o->line, LINE_MAX_LEN);
	if (stdfd_open(&o->io, loop, given, UV_WRITABLE, &ops, err) < 0)
		return -1;
	o->broken = !stdfd_is_open(&o->io);
	return 0;
}

void output_finish(struct output *o)
{
	stdfd_close(&o->io);
	buf_finish(&o->pending);
	buf_finish(&o->line);
}

/* The line with its prefix and its end. */
static bool finish_line(struct output *o)
{
	bool done = buf_append(&o->pending, o->prefix, strlen(o->prefix)) &&
		    buf_append_span(&o->pending, buf_span(&o->line)) &&
		    buf_append_u8(&o->pending, '\n');

	buf_clear(&o->line);
	return done;
}

static bool put_lines(struct output *o, struct span bytes)
{
	while (bytes.len > 0) {
		const uint8_t *end = memchr(bytes.ptr, '\n', bytes.len);
		size_t len = end ? (size_t)(end - bytes.ptr) : bytes.len;
		size_t room = buf_room(&o->line);
		struct span part = span_cut(&bytes, MIN(len, room));

		if (!buf_append_span(&o->line, part))
			return false;
		if (end && len <= room)
			(void)span_cut(&bytes, 1);
		else if (len <= room)
			return true; /* all of it, and no end */
		if (!finish_line(o))
			return false;
	}
	return true;
}

bool output_put(struct output *o, struct span bytes)
{
	bool done;

	if (o->broken)
		return true;
	done = o->prefix ? put_lines(o, bytes) : buf_append_span(&o->pending, bytes);
	flush(o);
	return done;
}

void output_end(struct output *o)
{
	if (o->prefix && buf_len(&o->line) > 0 && !finish_line(o))
		buf_clear(&o->line);
	flush(o);
}
