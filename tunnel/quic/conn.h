/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * One QUIC connection (RFC 9000) on ngtcp2 with OpenSSL's TLS: what whoever moves the packets uses.
 * No sockets, no clock: datagrams and `now` go in, batches of datagrams and a deadline come out.
 *
 *	struct quic_conn *quic = quic_conn_connect(&config, err);    server: see quic/server.h
 *	struct h3_conn *h3 = h3_conn_new(quic, &ops, owner);         h3 owns quic from here on
 *
 *	for each datagram received:  quic_conn_read(quic, &path, ecn, bytes, now);
 *	when the deadline passed:    quic_conn_expire(quic, now);
 *	then, and whenever h3_conn_ops.wants_write() was called:
 *	        while (quic_conn_write(quic, &batch, now))
 *	                ...sendmsg(2) with UDP_SEGMENT = batch.segment; on EAGAIN keep it for later
 *	        ...arm the timer for quic_conn_deadline(quic)
 *
 * Times are nanoseconds of CLOCK_MONOTONIC and never go back. The deadline also paces packets,
 * often by less than a millisecond: arm a timer with that resolution (timerfd_create(2)), or bulk
 * data is throttled to a burst a tick.
 *
 * Paths. A connection is bound to connection ids, not to addresses. A path is a pair of addresses,
 * and ngtcp2 takes a new local address for a new path, so that the local address is chosen by the
 * caller: real, or synthetic (one for each transport or route) with the real pair looked up when a
 * batch is sent. A client must pass the local address it dialled or migrated to; packets of unknown
 * paths are dropped. A server passes whatever it received from.
 *
 * Sleep. After a blackout a connection waits for a timer that was doubled again and again (53 s
 * after five minutes). quic_conn_migrate() to a fresh local address resets that: call it on wake,
 * on a change of address, and when quic_stats.received_at says that the peer is silent although
 * keep-alives were sent.
 *
 * The end. Whatever goes wrong, the connection writes its last packet by itself, and
 * h3_conn_ops.closed() tells why.
 */

#include <netinet/in.h>
#include <stdbool.h>

#include "init/base/err.h"
#include "init/base/span.h"
#include "tunnel/crypto/tls.h"
#include "tunnel/quic/tag.h"

struct quic_conn;

#define QUIC_NEVER UINT64_MAX /* a deadline that does not come */

/* A socket address, or a synthetic one of the same shape. */
struct quic_addr {
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
	socklen_t len;
};

struct quic_path {
	struct quic_addr local, remote;
};

bool quic_addr_equal(const struct quic_addr *a, const struct quic_addr *b);

/*
 * The synthetic address fd62:7274:68LL::n (RFC 4193), which never meets a real network: LL says
 * what carries the packets (a link, a kind of path), n counts up with each fresh way. The bytes in
 * between are zero; a server's connections use them, see path.c.
 */
struct quic_addr quic_addr_synthetic(uint8_t link, uint32_t number);
bool quic_addr_is_synthetic(const struct quic_addr *addr);
/* LL and n of one; 0 of any other address. */
uint8_t quic_addr_link(const struct quic_addr *addr);
uint32_t quic_addr_number(const struct quic_addr *addr);

enum quic_congestion { QUIC_BBR, QUIC_CUBIC };

struct quic_settings {
	enum quic_congestion congestion;
	uint64_t idle_timeout_ns;      /* the connection ends after that long without a packet */
	uint64_t handshake_timeout_ns; /* and after that long without a complete handshake */
	uint64_t keep_alive_ns; /* a PING after that long without a packet; 0: none. Clients only */
	uint64_t initial_rtt_ns; /* a round trip, as far as known; 0: not at all (RFC 9002 6.2.2) */
	size_t datagram_max;	 /* largest UDP payload that path MTU discovery tries */
	/*
	 * A few small messages an hour: little credit for the peer, few streams, and no search for
	 * a larger MTU. There may be thousands of these.
	 */
	bool is_small;
};

#define QUIC_SETTINGS_DEFAULT                                \
	((struct quic_settings){                             \
		.congestion = QUIC_BBR,                      \
		.idle_timeout_ns = 24 * 3600 * NSEC_PER_SEC, \
		.handshake_timeout_ns = 10 * NSEC_PER_SEC,   \
		.keep_alive_ns = 0,                          \
		.datagram_max = QUIC_DATAGRAM_MAX,           \
	})

/* The largest datagram we send; receive buffers are at least QUIC_BATCH_MAX, for GRO. */
#define QUIC_DATAGRAM_MAX 16000
/*
 * A batch is at most so many bytes and so many segments: what one sendmsg(2) with UDP_SEGMENT
 * takes.
 */
#define QUIC_BATCH_MAX 65000
#define QUIC_BATCH_SEGMENTS_MAX 64

/* Datagrams of equal size (the last may be shorter) that go to one path with one ECN mark. */
struct quic_batch {
	struct quic_path path;
	uint8_t ecn;	/* the two ECN bits (RFC 3168) */
	size_t segment; /* size of each datagram but the last */
	size_t len;	/* of all */
	uint8_t bytes[QUIC_BATCH_MAX];
};

/*
 * What a client keeps to be faster the next time: a session (see crypto/tls.h) and the server's
 * limits (RFC 9000 section 7.4.1). A secret.
 */
struct quic_ticket {
	struct span session, params;
};
#define QUIC_TICKET_PARAMS_MAX 256

struct quic_client_config {
	const struct tls_context *tls; /* TLS_CLIENT; borrowed */
	/*
	 * NULL, or for early data (0-RTT): streams can be opened at once. Used up by this, whatever
	 * comes of it; one that is of no use is ignored.
	 */
	const struct quic_ticket *ticket;
	/* What our ids begin with, and the first id of the server; NULL: random. Copied. */
	const struct quic_tag *tag, *peer_tag;
	struct quic_path path;
	struct quic_settings settings;
	uint64_t now;
};

/* A client's connection; NULL on failure. Nothing was sent yet. */
struct quic_conn *quic_conn_connect(const struct quic_client_config *config, struct err *err)
	attr_must_use;

/*
 * Frees it, also from a server's tables. Whoever made an h3_conn of it calls h3_conn_free()
 * instead.
 */
struct quic_conn *quic_conn_free(struct quic_conn *conn);
DEFINE_CLEANUP(struct quic_conn, quic_conn_free)

/* One datagram. Bytes that are not for this connection, or broken, are ignored. */
void quic_conn_read(struct quic_conn *conn, const struct quic_path *path, uint8_t ecn,
		    struct span packet, uint64_t now);

/*
 * True: *batch holds datagrams to send; call again. False: nothing to send until the deadline or
 * the next event.
 */
bool quic_conn_write(struct quic_conn *conn, struct quic_batch *batch, uint64_t now) attr_must_use;

/* When quic_conn_expire() is to be called; QUIC_NEVER when the connection is over. */
uint64_t quic_conn_deadline(const struct quic_conn *conn);
void quic_conn_expire(struct quic_conn *conn, uint64_t now);

/*
 * Client: moves to another path at once, without waiting for its validation; path->local must
 * differ from the current one. ERR_UNAVAILABLE before the handshake is confirmed; ERR_LIMIT when
 * seven moves in a row met no answer.
 */
int quic_conn_migrate(struct quic_conn *conn, const struct quic_path *path, uint64_t now,
		      struct err *err) attr_must_use;

/*
 * Client: the same, but only once the peer has answered by it (RFC 9000 section 8.2); until then,
 * and if it does not, the path in use stays, and quic_conn_path() tells which one that is. A second
 * one ends the first.
 */
int quic_conn_try(struct quic_conn *conn, const struct quic_path *path, uint64_t now,
		  struct err *err) attr_must_use;

/*
 * Client: sends something that the peer must acknowledge, although timers were doubled. For a
 * silence that lasts: whoever is there again shall be noticed within seconds.
 */
void quic_conn_probe(struct quic_conn *conn);

/*
 * Client: see quic_settings.keep_alive_ns; heartbeats of 5 s while in use and 25 s when idle are a
 * good habit.
 */
void quic_conn_set_keep_alive(struct quic_conn *conn, uint64_t keep_alive_ns);

/*
 * A client that had a ticket which can be used, until its handshake is complete. What it sends
 * until then is encrypted to the server that gave the ticket; who records it can send it once more.
 */
bool quic_conn_is_early(const struct quic_conn *conn);

/* The peer proved its key and the handshake is complete. */
bool quic_conn_is_ready(const struct quic_conn *conn);
/*
 * False when the peer proved a key that is accepted no more (tls_context_set_peers()), true before
 * it proved any: such a handshake meets the keys of its end.
 */
bool quic_conn_is_accepted(const struct quic_conn *conn);
/* The peer does not know this connection any more: a stateless reset came (RFC 9000, 10.3). */
bool quic_conn_was_reset(const struct quic_conn *conn);
/* Nothing will be sent or received any more: it may be freed. */
bool quic_conn_is_over(const struct quic_conn *conn);

/* The path in use, and its largest datagram. */
void quic_conn_path(const struct quic_conn *conn, struct quic_path *ret);

struct quic_stats {
	uint64_t rtt_ns, rtt_min_ns;
	uint64_t received_at; /* when the last valid packet came; 0: none yet */
	uint64_t cwnd, in_flight;
	uint64_t bytes_sent, bytes_received, bytes_lost;
	uint64_t packets_sent, packets_received, packets_lost;
	size_t datagram; /* payload size that the path is known to carry */
};

void quic_conn_stats(const struct quic_conn *conn, struct quic_stats *ret);

/*
 * A secret that both sides have and nobody else: HKDF-SHA256 with this label of the TLS exporter
 * (RFC 8446 section 7.5) "EXPORTER-berth". Only when ready.
 */
int quic_conn_export(const struct quic_conn *conn, const char *label, struct secret *ret,
		     struct err *err) attr_must_use;
