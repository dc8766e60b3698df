/* SPDX-License-Identifier: MIT */
/*
 * Asking a silent peer, whatever congestion control has to say. Once a window is full of packets
 * that nobody acknowledged, ngtcp2 sends only its own probes, after times that double; and a fresh
 * path, which would open the window, costs a connection id that a silent peer does not replace. So
 * the last datagram of a silence is sent once more, as it was: where that was lost, the peer takes
 * it for a new one and answers. A packet that it knows, it drops (RFC 9000 section 12.3).
 */
#include <assert.h>

#include "tunnel/quic/internal.h"

/* The network is silent for so long before copies are made: bulk data is not copied. */
#define SILENCE_NS (2 * NSEC_PER_SEC)

#define COPY_MAX 1500

void quic_conn_probe(struct quic_conn *conn)
{
	assert(!quic_conn_is_server(conn));
	if (conn->state != QUIC_READY)
		return;
	/* One more unidirectional stream than the server ever opens: a frame, and of no effect. */
	ngtcp2_conn_extend_max_streams_uni(conn->tp, 1);
	conn->wants_probe = conn->is_urgent = true;
	quic_conn_wants_write(conn);
}

void quic_conn_keep_copy(struct quic_conn *conn, const struct quic_batch *batch, uint64_t now)
{
	size_t len = batch->len % batch->segment ? batch->len % batch->segment : batch->segment;

	conn->wants_probe = false;
	if (quic_conn_is_server(conn) || conn->state != QUIC_READY ||
	    now - conn->received_at < SILENCE_NS)
		return;
	if (len > COPY_MAX)
		return;
	conn->copy.max = COPY_MAX;
	buf_clear(&conn->copy);
	(void)!buf_append(&conn->copy, batch->bytes + batch->len - len, len);
}

bool quic_conn_write_copy(struct quic_conn *conn, struct quic_batch *batch)
{
	struct span copy = buf_span(&conn->copy);

	if (!conn->wants_probe)
		return false;
	conn->wants_probe = false;
	if (copy.len == 0)
		return false;
	memcpy(batch->bytes, copy.ptr, copy.len);
	batch->len = batch->segment = copy.len;
	batch->ecn = 0;
	quic_conn_path(conn, &batch->path);
	return true;
}
