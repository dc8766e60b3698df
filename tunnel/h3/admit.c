/* SPDX-License-Identifier: MIT */
/*
 * Requests of a connection that somebody still has to agree to. A stream without callbacks keeps
 * what comes on it, up to the peer's first credit, so that there is nothing else to keep.
 */
#include "tunnel/h3/internal.h"

void h3_conn_defer(struct h3_conn *conn)
{
	conn->defers = true;
}

void h3_stream_defer(struct h3_stream *stream)
{
	struct h3_conn *conn = stream->conn;

	stream->is_deferred = true;
	if (conn->ops->waits)
		conn->ops->waits(conn, conn->owner);
}

void h3_conn_admit(struct h3_conn *conn)
{
	struct h3_stream *stream = conn->streams;

	conn->defers = false;
	/* Oldest first: the list has the newest at its head. */
	while (stream && stream->next)
		stream = stream->next;
	for (; stream && !conn->is_over; stream = stream->prev) {
		struct h3_request request;
		bool is_due = stream->is_deferred && !stream->is_reset;

		stream->is_deferred = false;
		/* It was read once before it was put off. */
		if (is_due && h3_fields_request(&stream->fields, &request, &stream->why) == 0)
			conn->ops->request(conn, conn->owner, stream, &request);
	}
}

void h3_conn_refuse(struct h3_conn *conn)
{
	quic_conn_refuse(conn->quic);
}
