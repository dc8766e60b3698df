/* SPDX-License-Identifier: MIT */
/*
 * Requests that were made before the handshake was complete, and have to be made again: the server
 * did not take them, or another connection takes the place of theirs. Nothing of theirs was
 * acknowledged, so that all that was written is still in their send buffers.
 */
#include "tunnel/h3/internal.h"

bool h3_conn_is_holding(const struct h3_conn *conn)
{
	return conn->is_over && conn->is_early && !conn->handshake_done;
}

/* As if it had not been opened yet. */
static void restart(struct h3_stream *stream)
{
	struct h3_conn *conn = stream->conn;

	if (stream->id >= 0 && !stream->is_reset)
		conn->waiting++;
	h3_urgency_forget(stream);
	stream->id = -1;
	stream->is_submitted = false;
	stream->is_parked = false;
	h3_send_rewind(&stream->send);
	/* Nobody but us ends one that was given up. */
	if (stream->is_reset)
		h3_stream_wake_later(stream);
}

int h3_early_rejected(void *app)
{
	struct h3_conn *conn = app;

	nghttp3_conn_del(conn->http);
	h3_conn_make_http(conn);
	conn->is_early = false;
	for (struct h3_stream *stream = conn->streams; stream; stream = stream->next)
		restart(stream);
	return 0;
}

void h3_conn_adopt(struct h3_conn *conn, struct h3_conn *from)
{
	struct h3_stream *stream = from->streams, *newer;

	/* Oldest first: joining puts each at the head. */
	while (stream && stream->next)
		stream = stream->next;
	for (; stream; stream = newer) {
		bool is_pending = h3_stream_is_pending(stream);

		newer = stream->prev;
		h3_stream_leave(stream);
		h3_stream_join(stream, conn);
		from->waiting -= is_pending;
		conn->waiting += is_pending;
		restart(stream);
	}
	(void)h3_conn_open_waiting(conn);
	quic_conn_wants_write(conn->quic);
}
