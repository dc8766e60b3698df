/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Bytes on their way from a stream to a descriptor. They come in packets and are written at the end
 * of the loop's turn, all at once: one system call, and one wake-up of whoever reads, for what
 * would be sixty of each. What the descriptor does not take waits until it is writable.
 *
 *	body arrives:  sink_received(), sink_put() of what is for the descriptor, sink_credit()
 *	it is ready:   sink_write()
 *
 * Credit. Whatever was received and does not wait here is reported as consumed, so that what waits
 * is at most the window of the stream.
 */

#include <stdbool.h>

#include "init/base/buf.h"
#include "tunnel/services/port.h"
#include "tunnel/services/service.h"

/* The peer's credit ends long before: who gets here ignores flow control. */
#define SINK_MAX (64 * 1024 * 1024)

struct sink {
	struct service_env *env;
	struct h3_stream *stream; /* NULL: nobody wants credit any more */
	struct port *port;
	/* After each attempt to write; not ok: the descriptor takes nothing any more (errno). */
	void (*written)(struct sink *sink, bool ok);
	struct buf pending;
	size_t held;  /* received and not reported as consumed */
	uint8_t last; /* the last byte that was written, or 0 */
	struct service_later later;
};

/* The port may still be closed; until it is open, bytes wait. */
void sink_init(struct sink *sink, struct service_env *env, struct h3_stream *stream,
	       struct port *port, void (*written)(struct sink *sink, bool ok));
void sink_finish(struct sink *sink);

static inline bool sink_is_empty(const struct sink *sink)
{
	return buf_len(&sink->pending) == 0;
}

void sink_received(struct sink *sink, size_t len);
void sink_credit(struct sink *sink);

/* False, and nothing taken, when more than SINK_MAX bytes would wait. */
bool sink_put(struct sink *sink, struct span bytes) attr_must_use;

/* Writes what waits, as far as the descriptor takes it. */
void sink_write(struct sink *sink);

/* Throws away what waits. */
void sink_drop(struct sink *sink);
