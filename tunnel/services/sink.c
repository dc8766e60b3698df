/* SPDX-License-Identifier: MIT */
/* Bytes on their way to a descriptor; see sink.h. */
#include "sink.h"

#include <errno.h>
#include <unistd.h>

/* Memory that an empty sink keeps. */
#define KEEP_MAX (256 * 1024)

static void on_later(struct service_later *later)
{
	sink_write(container_of(later, struct sink, later));
}

void sink_init(struct sink *sink, struct service_env *env, struct h3_stream *stream,
	       struct port *port, void (*written)(struct sink *sink, bool ok))
{
	*sink = (struct sink){ .env = env,
			       .stream = stream,
			       .port = port,
			       .written = written,
			       .pending = BUF_INIT(SINK_MAX),
			       .later = { .run = on_later } };
}

void sink_finish(struct sink *sink)
{
	buf_finish(&sink->pending);
}

void sink_received(struct sink *sink, size_t len)
{
	sink->held += len;
}

void sink_credit(struct sink *sink)
{
	size_t waiting = buf_len(&sink->pending), len;

	/* What waits may also be ours: the keys that end a terminal's input. */
	if (sink->held <= waiting || !sink->stream)
		return;
	len = sink->held - waiting;
	sink->held = waiting;
	h3_stream_consumed(sink->stream, len);
}

bool sink_put(struct sink *sink, struct span bytes)
{
	if (!buf_append_span(&sink->pending, bytes))
		return false;
	if (port_is_open(sink->port) && !(sink->port->wanted & UV_WRITABLE))
		service_later(sink->env, &sink->later);
	return true;
}

/* False when the descriptor takes nothing any more. */
static bool write_some(struct sink *sink)
{
	while (!sink_is_empty(sink)) {
		struct span bytes = buf_span(&sink->pending);
		ssize_t n = write(sink->port->fd, bytes.ptr, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN || errno == EWOULDBLOCK;
		sink->last = bytes.ptr[n - 1];
		buf_consume(&sink->pending, (size_t)n);
	}
	if (sink->pending.size > KEEP_MAX)
		buf_finish(&sink->pending);
	return true;
}

void sink_write(struct sink *sink)
{
	bool ok;

	if (!port_is_open(sink->port))
		return;
	ok = write_some(sink);
	port_want(sink->port, UV_WRITABLE, ok && !sink_is_empty(sink));
	sink_credit(sink);
	sink->written(sink, ok);
}

void sink_drop(struct sink *sink)
{
	buf_finish(&sink->pending);
	port_want(sink->port, UV_WRITABLE, false);
	sink_credit(sink);
}
