/* SPDX-License-Identifier: MIT */
/* What comes from the job on its way to whoever reads; see output.h. */
#include "output.h"

#include <string.h>

/* The credit of the stream is far smaller. */
#define PENDING_MAX (64 * 1024 * 1024)
/* A longer line is cut into several. */
#define LINE_MAX_LEN (16 * 1024)
#define LINES_MAX (64 * 1024)

/* The next line of what came, without its end; false when there is no whole one yet. */
static bool cut_line(struct output *o, struct span *ret, size_t *ret_used)
{
	struct span line = buf_span(&o->pending);
	const uint8_t *end;

	if (line.len == 0)
		return false;
	end = memchr(line.ptr, '\n', MIN(line.len, LINE_MAX_LEN + 1));
	if (!end && line.len <= LINE_MAX_LEN && !o->ended)
		return false;
	*ret = span_of(line.ptr, end ? (size_t)(end - line.ptr) : MIN(line.len, LINE_MAX_LEN));
	*ret_used = ret->len + (end ? 1 : 0);
	return true;
}

/* As many lines as may be written at once. */
static void take_lines(struct output *o)
{
	struct span line;
	size_t used;

	while (buf_room(&o->lines) > strlen(o->prefix) + LINE_MAX_LEN &&
	       cut_line(o, &line, &used)) {
		/* There is room for the longest. */
		(void)!(buf_append(&o->lines, o->prefix, strlen(o->prefix)) &&
			buf_append_span(&o->lines, line) && buf_append_u8(&o->lines, '\n'));
		buf_consume(&o->pending, used);
	}
}

static void flush(struct output *o)
{
	struct buf *from = o->prefix ? &o->lines : &o->pending;

	while (!o->broken) {
		ssize_t len;

		if (o->prefix && buf_len(&o->lines) == 0)
			take_lines(o);
		if (buf_len(from) == 0)
			break;
		len = stdfd_write(&o->io, buf_span(from));
		if (len == 0)
			break;
		if (len > 0)
			buf_consume(from, (size_t)len);
		else
			o->broken = true;
	}
	if (o->broken) {
		buf_clear(&o->pending);
		buf_clear(&o->lines);
	}
	stdfd_want(&o->io, buf_len(from) > 0);
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
	buf_init(&o->lines, LINES_MAX + (o->prefix ? strlen(o->prefix) : 0));
	if (stdfd_open(&o->io, loop, given, UV_WRITABLE, &ops, err) < 0)
		return -1;
	o->broken = !stdfd_is_open(&o->io);
	return 0;
}

void output_finish(struct output *o)
{
	stdfd_close(&o->io);
	buf_finish(&o->pending);
	buf_finish(&o->lines);
}

bool output_put(struct output *o, struct span bytes)
{
	bool done;

	if (o->broken)
		return true;
	done = buf_append_span(&o->pending, bytes);
	flush(o);
	return done;
}

void output_end(struct output *o)
{
	o->ended = true;
	flush(o);
}
