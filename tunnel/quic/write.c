/* SPDX-License-Identifier: MIT */
/* Building datagrams: packets from the streams that have something to say, paced. */
#include "tunnel/quic/internal.h"

/*
 * A fast path gets several batches between two pacing timers. ngtcp2 says when it is fast: the
 * quantum is what a millisecond carries, up to QUANTUM_FAST.
 */
#define QUANTUM_FAST (64 * 1024)
#define BURST_FAST (4 * QUANTUM_FAST)

/* How late a timer may be that nobody waits for. */
#define IDLE_SLACK_NS NSEC_PER_MSEC

/*
 * Acknowledgements and credit rest for so long before they go alone: on a short path the answer to
 * what came is there earlier, and carries them. ngtcp2 waits for an eighth of the round trip, which
 * is too short there; and each packet that says nothing else wakes a process at the other end, and
 * sets a timer at this one, in the middle of a round trip. Only while few packets came, and nothing
 * waits to be sent that they could have made room for.
 */
#define REST_NS NSEC_PER_MSEC

/*
 * Segments of a batch have one size (udp(7), UDP_SEGMENT), so that a packet is padded which has no
 * room left but for a few bytes; one that is not full is not, or a keystroke would be as large as
 * the path carries. What the heads of frames and of the packet may take.
 */
#define PACKET_HEADS_MAX 128

/*
 * Lets the application fill one packet from as many streams as fit; the last parameter of ngtcp2 is
 * our conn.
 */
static ngtcp2_ssize write_packet(ngtcp2_conn *tp, ngtcp2_path *path, ngtcp2_pkt_info *info,
				 uint8_t *dest, size_t size, ngtcp2_tstamp now, void *user)
{
	struct quic_conn *conn = user;
	size_t limit = quic_mtu_limit(conn, now), offered = PACKET_HEADS_MAX, run = 0;
	size_t full = MIN(limit, ngtcp2_conn_get_path_max_tx_udp_payload_size(tp));

	size = MIN(size, limit);
	for (;;) {
		struct quic_send send = { .stream = -1 };
		ngtcp2_vec vec[QUIC_SEND_VECS];
		ngtcp2_ssize taken = -1, len;
		uint32_t flags = 0;
		int more = 0;

		conn->is_blocked = ngtcp2_conn_get_max_data_left(tp) == 0;
		if (!conn->is_blocked)
			more = conn->ops->next(conn->app, &send);
		if (more < 0)
			return NGTCP2_ERR_CALLBACK_FAILURE;
		conn->has_more = more > 0;
		if (more > 0)
			flags |= NGTCP2_WRITE_STREAM_FLAG_MORE;
		if (send.fin)
			flags |= NGTCP2_WRITE_STREAM_FLAG_FIN;
		for (size_t i = 0; i < send.vec_len; i++) {
			vec[i] = (ngtcp2_vec){ .base = send.vec[i].base, .len = send.vec[i].len };
			offered += send.vec[i].len;
		}
		if (offered >= full)
			flags |= NGTCP2_WRITE_STREAM_FLAG_PADDING;
		len = ngtcp2_conn_writev_stream(tp, path, info, dest, size, &taken, flags,
						send.stream, vec, send.vec_len, now);
		if (len == NGTCP2_ERR_STREAM_DATA_BLOCKED) {
			conn->ops->blocked(conn->app, send.stream);
			continue;
		}
		if (len == NGTCP2_ERR_STREAM_SHUT_WR || len == NGTCP2_ERR_STREAM_NOT_FOUND) {
			conn->ops->shut(conn->app, send.stream);
			continue;
		}
		if (taken >= 0 && conn->ops->sent(conn->app, send.stream, (size_t)taken) < 0)
			return NGTCP2_ERR_CALLBACK_FAILURE;
		run = MAX(run, taken > 0 ? (size_t)taken : 0);
		if (len == NGTCP2_ERR_WRITE_MORE)
			continue;
		if (len > 0)
			quic_mtu_note_sent(conn, (size_t)len, run, now);
		return len;
	}
}

static size_t burst_limit(const struct quic_conn *conn)
{
	size_t quantum = ngtcp2_conn_get_send_quantum(conn->tp);

	return quantum < QUANTUM_FAST ? quantum : BURST_FAST;
}

/* Bytes written into *batch, 0 for none, or an error of ngtcp2. */
static ngtcp2_ssize fill_batch(struct quic_conn *conn, struct quic_batch *batch, uint64_t now)
{
	size_t limit = burst_limit(conn), room = conn->burst < limit ? limit - conn->burst : 0;
	ngtcp2_path_storage path;
	ngtcp2_pkt_info info = { 0 };
	ngtcp2_ssize len;

	room = MAX(room, ngtcp2_conn_get_max_tx_udp_payload_size(conn->tp));
	if (conn->burst >= limit)
		return 0;
	ngtcp2_path_storage_zero(&path);
	len = ngtcp2_conn_write_aggregate_pkt2(conn->tp, &path.path, &info, batch->bytes,
					       MIN(room, sizeof(batch->bytes)), &batch->segment,
					       write_packet, QUIC_BATCH_SEGMENTS_MAX, now);
	if (len <= 0)
		return len;
	conn->burst += (size_t)len;
	batch->len = (size_t)len;
	batch->ecn = (uint8_t)info.ecn;
	quic_conn_take_path(conn, &path.path, &batch->path);
	return len;
}

void quic_conn_note_packet(struct quic_conn *conn, uint8_t ecn, uint64_t now)
{
	ngtcp2_conn_info info;

	ngtcp2_conn_get_conn_info(conn->tp, &info);
	if (info.pkt_recv != conn->packets_received)
		conn->received_at = now;
	conn->packets_received = info.pkt_recv;
	if (info.pkt_lost != conn->packets_lost || (ecn & NGTCP2_ECN_MASK) == NGTCP2_ECN_CE)
		conn->is_urgent = true;
	conn->packets_lost = info.pkt_lost;
	quic_mtu_note_packet(conn, &info, now);
	conn->unanswered++;
	if (now >= conn->rest_until)
		conn->rest_until = now + REST_NS;
}

/* Whether what came of late needs no more than an acknowledgement and credit; see REST_NS. */
static bool is_calm(const struct quic_conn *conn, uint64_t now)
{
	return conn->state == QUIC_READY && conn->is_settled && !conn->has_more &&
	       !conn->is_blocked && conn->unanswered < QUIC_ACK_THRESHOLD && now < conn->rest_until;
}

/*
 * The end of a burst: sets the pacing timer, which is of no use while there is nothing to send.
 * Without this, a program that writes a few bytes at a time would cost two timers a packet.
 */
static void end_burst(struct quic_conn *conn, uint64_t now)
{
	bool is_idle = !conn->has_more && conn->burst < burst_limit(conn);
	uint64_t plain = ngtcp2_conn_get_expiry(conn->tp), paced;

	ngtcp2_conn_update_pkt_tx_time(conn->tp, now);
	paced = ngtcp2_conn_get_expiry(conn->tp);
	conn->deadline = paced;
	if (conn->burst > 0) {
		/* Something was written, so that pacing did not count before the update. */
		conn->paced_until = paced < plain ? paced : 0;
		if (is_idle)
			conn->deadline = is_calm(conn, now) ? MAX(plain, conn->rest_until) : plain;
	} else if (is_idle && paced == conn->paced_until) {
		/* What comes after the pacing timer is not known yet. */
		conn->deadline = paced + IDLE_SLACK_NS;
	}
	conn->burst = 0;
	conn->unanswered = 0;
	conn->is_urgent = conn->owes_credit = false;
	conn->is_settled = conn->state == QUIC_READY;
}

/* When a rest ends: for what is owed by us, or for a timer of ngtcp2. */
static void rest(struct quic_conn *conn)
{
	conn->deadline = conn->owes_credit
				 ? conn->rest_until
				 : MAX(ngtcp2_conn_get_expiry(conn->tp), conn->rest_until);
}

bool quic_conn_write(struct quic_conn *conn, struct quic_batch *batch, uint64_t now)
{
	ngtcp2_ssize len = 0;
	bool wrote;

	if (!conn->is_urgent && is_calm(conn, now)) {
		rest(conn);
		quic_conn_end_turn(conn);
		return false;
	}
	if (conn->state < QUIC_CLOSING) {
		len = fill_batch(conn, batch, now);
		if (len < 0)
			quic_conn_fail(conn, (int)len);
	}
	wrote = len > 0;
	if (wrote)
		quic_conn_keep_copy(conn, batch, now);
	else if (conn->state < QUIC_CLOSING)
		wrote = quic_conn_write_copy(conn, batch);
	if (len == 0 && conn->state < QUIC_CLOSING)
		end_burst(conn, now);
	if (conn->state == QUIC_CLOSING && !wrote)
		wrote = quic_conn_write_close(conn, batch, now);
	quic_conn_end_turn(conn);
	return wrote;
}
