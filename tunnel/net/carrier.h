/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Capsules (RFC 9297 section 3.2) on a byte stream: QUIC packets as DATAGRAM capsules, which look
 * like what a UDP socket sends and receives, and other capsules, which are their owner's.
 *
 *	struct carrier_config config = {
 *		.dial = { .loop = loop, .host = "relay.example.org", .port = 443, .tls = tls,
 *			  .use_proxy = true, .path = "/relay", .protocol = "berth-relay",
 *			  .websocket = true },
 *		.ops = &ops, .owner = me,
 *	};
 *	struct carrier *carrier = carrier_dial(&config);
 *
 *	up():         carrier_export(carrier, "relay", &binding, err)
 *	              carrier_send(carrier, RELAY_HELLO, value)
 *	datagrams():  as from a UDP socket; path and ECN mark are the owner's to fill in
 *	later:        if (!carrier_is_blocked(carrier)) carrier_send_batch(carrier, &batch)
 *
 * Many datagrams leave in one write, and those that came in one read and have one size are handed
 * over as one run, as UDP_GRO would: so that a stream is not much slower than a socket.
 *
 * Back-pressure is the stream's (stream.h): a batch is taken whole, and the next one has to wait
 * until writable(). No datagram is lost in here, and none is kept for longer than that.
 *
 * Silence. With keep_alive_ns a PING capsule (0x2b31) leaves when nothing came for that long, and
 * the carrier is over when CARRIER_PATIENCE passes without an answer. carrier_probe() asks at once:
 * call it on wake and on a change of address. PONGs are not handed to the owner.
 */

#include "tunnel/net/stream.h"
#include "tunnel/net/udp.h"

#define CARRIER_VALUE_MAX 4096 /* bytes of a capsule that is no DATAGRAM */
#define CARRIER_PATIENCE (5 * NSEC_PER_SEC)

#define CARRIER_DATAGRAM 0x00
#define CARRIER_PING 0x2b31
#define CARRIER_PONG 0x2b3d

struct carrier;

struct carrier_ops {
	/* Capsules can be sent. Not for an accepted stream, which is up already. */
	void (*up)(struct carrier *carrier, void *owner);
	/*
	 * Borrowed for the call: one run, datagrams->segment long but the last, at most
	 * QUIC_BATCH_MAX bytes and QUIC_BATCH_SEGMENTS_MAX datagrams.
	 */
	void (*datagrams)(struct carrier *carrier, void *owner,
			  const struct udp_datagrams *datagrams);
	/*
	 * Any other capsule. -1 and *err: the carrier is over because of it. Unknown types are to
	 * be ignored. NULL: all are.
	 */
	int (*capsule)(struct carrier *carrier, void *owner, uint64_t type, struct span value,
		       struct err *err);
	/* Optional. All that came in this turn was handed over. */
	void (*turn)(struct carrier *carrier, void *owner);
	/* The batch that waited has left. */
	void (*writable)(struct carrier *carrier, void *owner);
	/* It never came up, or has ended; once. carrier_close() it now or later. */
	void (*over)(struct carrier *carrier, void *owner, const struct err *why);
};

struct carrier_config {
	struct stream_dial_config dial;
	uint64_t keep_alive_ns; /* 0: none */
	uint64_t patience_ns;	/* 0: CARRIER_PATIENCE */
	const struct carrier_ops *ops;
	void *owner;
};

struct carrier *carrier_dial(const struct carrier_config *config);
/*
 * On a stream that was accepted (stream_accept()) and whose owner the carrier now is. What the
 * stream received already has to be nothing: it calls back only after this.
 */
struct carrier *carrier_new(struct stream *stream, uv_loop_t *loop, const struct carrier_ops *ops,
			    void *owner);
/* NULL is fine. Nothing is called back any more. */
void carrier_close(struct carrier *carrier);

/*
 * Takes the whole batch; its path and ECN mark do not matter here. False: carrier_is_blocked() from
 * now on, until writable(). Not while it is blocked, nor before up().
 */
bool carrier_send_batch(struct carrier *carrier, const struct quic_batch *batch);
/* The same for a run of datagrams, as it was received. */
bool carrier_send_run(struct carrier *carrier, struct span bytes, size_t segment);
/* Another capsule, also while blocked; false: too much waits already. */
bool carrier_send(struct carrier *carrier, uint64_t type, struct span value) attr_must_use;
/* Capsules that were made elsewhere, whole ones; false: too much waits already. */
bool carrier_send_whole(struct carrier *carrier, struct span capsules) attr_must_use;
/* The end, once what waits has left: over() is called with this reason. */
void carrier_finish(struct carrier *carrier, const struct err *why);

bool carrier_is_up(const struct carrier *carrier);
bool carrier_is_blocked(const struct carrier *carrier);
size_t carrier_waiting(const struct carrier *carrier); /* bytes */
void carrier_probe(struct carrier *carrier);

const struct quic_addr *carrier_remote(const struct carrier *carrier);
const char *carrier_way(const struct carrier *carrier); /* for messages */
int carrier_export(const struct carrier *carrier, const char *label, struct secret *ret,
		   struct err *err) attr_must_use;
