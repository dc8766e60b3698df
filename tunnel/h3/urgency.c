/* SPDX-License-Identifier: MIT */
/*
 * Which stream goes next; see "Turns" in conn.h. nghttp3 schedules a server's streams by urgency. A
 * client's it all takes for equal, so that here the others are held back while an urgent one has
 * something to say.
 */
#include "tunnel/h3/internal.h"

#include <assert.h>

static bool is_urgent(const struct h3_stream *stream)
{
	return stream->urgency_now < H3_URGENCY_DEFAULT;
}

static void put_in_force(struct h3_stream *stream, unsigned int urgency)
{
	struct h3_conn *conn = stream->conn;
	const nghttp3_pri pri = { .urgency = urgency, .inc = 1 };

	if (urgency == stream->urgency_now)
		return;
	stream->urgency_now = urgency;
	/* It fails for want of memory only, or for a stream that is gone. */
	if (conn->is_server && stream->id >= 0 && !stream->is_reset)
		(void)nghttp3_conn_set_server_stream_priority(conn->http, stream->id, &pri);
}

void h3_urgency_note(struct h3_stream *stream)
{
	/* What is under way counts: it says that nobody waits for each byte. */
	bool is_long = stream->send.waiting + stream->send.lent > H3_URGENT_MAX;

	put_in_force(stream, is_long ? MAX(stream->urgency, (unsigned int)H3_URGENCY_DEFAULT)
				     : stream->urgency);
	if (is_urgent(stream))
		stream->conn->is_urgent = true;
}

void h3_stream_set_urgency(struct h3_stream *stream, unsigned int urgency)
{
	assert(urgency <= H3_URGENCY_LEAST);
	stream->urgency = urgency;
	h3_urgency_note(stream);
}

void h3_urgency_take(struct h3_stream *stream)
{
	nghttp3_pri pri;

	if (nghttp3_conn_get_stream_priority(stream->conn->http, &pri, stream->id) == 0)
		stream->urgency = stream->urgency_now = pri.urgency;
}

void h3_urgency_forget(struct h3_stream *stream)
{
	struct h3_stream **at = &stream->conn->held;

	if (!stream->is_held)
		return;
	while (*at != stream)
		at = &(*at)->held_next;
	*at = stream->held_next;
	stream->is_held = false;
}

static void hold(struct h3_stream *stream)
{
	nghttp3_conn_block_stream(stream->conn->http, stream->id);
	if (stream->is_held)
		return;
	stream->is_held = true;
	stream->held_next = stream->conn->held;
	stream->conn->held = stream;
}

static void release_all(struct h3_conn *conn)
{
	while (conn->held) {
		struct h3_stream *stream = conn->held;

		h3_urgency_forget(stream);
		(void)nghttp3_conn_unblock_stream(conn->http, stream->id);
	}
}

nghttp3_ssize h3_urgency_next(struct h3_conn *conn, int64_t *ret_id, int *ret_fin, nghttp3_vec *vec,
			      size_t vec_max)
{
	bool is_choosing = conn->is_urgent && !conn->is_server;

	for (;;) {
		nghttp3_ssize count =
			nghttp3_conn_writev_stream(conn->http, ret_id, ret_fin, vec, vec_max);
		struct h3_stream *stream;

		if (count < 0 || !is_choosing)
			return count;
		if (*ret_id < 0) {
			/* No urgent one is left: the others' turn. */
			is_choosing = conn->is_urgent = false;
			release_all(conn);
			continue;
		}
		stream = h3_conn_find(conn, *ret_id);
		if (!stream || is_urgent(stream))
			return count;
		hold(stream);
	}
}
