/* SPDX-License-Identifier: MIT */
/*
 * Black holes (RFC 8899 section 4.3): a path that carried large packets and carries them no more.
 * ngtcp2 searches for the largest packet of a fresh path and never goes back, so that what was lost
 * is repeated in packets that are lost as well, for ever, while small ones come and go.
 *
 * Large is what is larger than every path carries (BASE). ngtcp2 does not say which packets were
 * acknowledged, but which bytes of a stream were: more of them at once than a packet of BASE holds
 * were in a large one. Where that stays away for longer than losses explain, packets get a ceiling
 * of BASE. What a probe timeout sends is a packet as well, so that no timer is needed here.
 *
 * Under the ceiling a packet of the next size is tried now and then, at the cost of repeating it:
 * what it carries is more than any other packet does, and acknowledged as such. That finds the new
 * size, and soon undoes a mistake, such as a peer that did not run for a second.
 */
#include "tunnel/quic/internal.h"

#define BASE NGTCP2_MAX_UDP_PAYLOAD_SIZE

/*
 * Without a sign of large packets for so many probe timeouts. No shorter, since processes wait for
 * their turn; no longer, since what waited in vain makes round trips look long.
 */
#define PATIENCE_PTOS 3
#define PATIENCE_MIN_NS (500 * NSEC_PER_MSEC)
#define PATIENCE_MAX_NS NSEC_PER_SEC
/* What a peer may wait before it acknowledges (RFC 9000 section 18.2); a part of the timeout. */
#define ACK_DELAY_NS (25 * NSEC_PER_MSEC)

/* Until a size is tried that was not carried: soon, since it may be a mistake, then less often. */
#define TRIAL_MIN_NS NSEC_PER_SEC
#define TRIAL_MAX_NS (10 * NSEC_PER_SEC)

/* What is tried on the way up: IPv6's least, what tunnels leave of Ethernet, Ethernet, jumbo. */
static const size_t steps[] = { 1280, 1392, 1452, 8952 };

static uint64_t patience(const ngtcp2_conn_info *info)
{
	/* RFC 9002 section 6.2.1. */
	uint64_t pto = info->smoothed_rtt + MAX(4 * info->rttvar, NSEC_PER_MSEC) + ACK_DELAY_NS;

	return MIN(MAX(PATIENCE_PTOS * pto, PATIENCE_MIN_NS), PATIENCE_MAX_NS);
}

static bool is_black_hole(const struct quic_conn *conn, uint64_t now)
{
	const struct quic_mtu *mtu = &conn->mtu;
	ngtcp2_conn_info info;

	if (!mtu->is_watching || now - mtu->since < PATIENCE_MIN_NS)
		return false;
	ngtcp2_conn_get_conn_info(conn->tp, &info);
	return now - mtu->since >= patience(&info);
}

static size_t next_step(size_t ceiling, size_t full)
{
	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		if (steps[i] > ceiling)
			return MIN(steps[i], full);
	return full;
}

size_t quic_mtu_limit(struct quic_conn *conn, uint64_t now)
{
	size_t full = ngtcp2_conn_get_path_max_tx_udp_payload_size(conn->tp);
	struct quic_mtu *mtu = &conn->mtu;

	if (full <= BASE) {
		*mtu = (struct quic_mtu){ 0 }; /* a fresh path */
	} else if (is_black_hole(conn, now)) {
		*mtu = (struct quic_mtu){ .ceiling = BASE,
					  .trial_at = now + TRIAL_MIN_NS,
					  .rest = TRIAL_MIN_NS };
	} else if (mtu->ceiling >= full) {
		mtu->ceiling = 0;
	}
	if (mtu->ceiling == 0)
		return SIZE_MAX;
	return now < mtu->trial_at ? mtu->ceiling : next_step(mtu->ceiling, full);
}

static void watch(struct quic_mtu *mtu, const ngtcp2_conn_info *info, uint64_t now)
{
	mtu->is_watching = true;
	mtu->since = now;
	mtu->lost = info->pkt_lost;
}

void quic_mtu_note_sent(struct quic_conn *conn, size_t len, size_t run, uint64_t now)
{
	struct quic_mtu *mtu = &conn->mtu;
	ngtcp2_conn_info info;

	if (mtu->ceiling && len > mtu->ceiling) {
		mtu->trial = len;
		mtu->trial_run = run > mtu->plain_run ? run : 0;
		mtu->rest = MIN(2 * mtu->rest, TRIAL_MAX_NS);
		mtu->trial_at = now + mtu->rest;
		return;
	}
	mtu->plain_run = MAX(mtu->plain_run, run);
	if (run > BASE && !mtu->is_watching) {
		ngtcp2_conn_get_conn_info(conn->tp, &info);
		watch(mtu, &info, now);
	}
}

void quic_mtu_note_acked(struct quic_conn *conn, uint64_t run)
{
	struct quic_mtu *mtu = &conn->mtu;

	if (run > BASE)
		mtu->has_sign = true;
	if (mtu->ceiling && mtu->trial_run && run == mtu->trial_run) {
		mtu->ceiling = mtu->trial;
		mtu->plain_run = mtu->trial_run;
		mtu->trial_run = 0;
		mtu->trial_at = 0;
	}
}

void quic_mtu_note_packet(struct quic_conn *conn, const ngtcp2_conn_info *info, uint64_t now)
{
	struct quic_mtu *mtu = &conn->mtu;
	bool is_all_there = info->bytes_in_flight == 0 && info->pkt_lost == mtu->lost;

	if (mtu->is_watching && is_all_there)
		mtu->is_watching = false;
	else if (mtu->is_watching && mtu->has_sign)
		watch(mtu, info, now);
	mtu->has_sign = false;
}

size_t quic_mtu_size(const struct quic_conn *conn)
{
	size_t full = ngtcp2_conn_get_path_max_tx_udp_payload_size(conn->tp);

	return conn->mtu.ceiling ? MIN(conn->mtu.ceiling, full) : full;
}
