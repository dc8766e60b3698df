/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the files of this folder share about a connection. The life of one:
 *
 *	HANDSHAKE -> READY -> CLOSING -> OVER
 *
 * CLOSING: an error or quic_conn_close() was noted, and the next write sends CONNECTION_CLOSE.
 * OVER: nothing is sent or read any more. Every state may go to CLOSING, and to OVER when there is
 * nobody to tell.
 */

#include <ngtcp2/ngtcp2.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <ngtcp2/ngtcp2_crypto_ossl.h>

#include "init/base/buf.h"
#include "tunnel/quic/app.h"
#include "tunnel/quic/cids.h"

enum quic_state { QUIC_HANDSHAKE, QUIC_READY, QUIC_CLOSING, QUIC_OVER };

/*
 * Acknowledge every so many packets: each acknowledgement costs both sides about as much as a
 * packet.
 */
#define QUIC_ACK_THRESHOLD 4

#define QUIC_CLOSE_PACKET_MAX NGTCP2_MAX_UDP_PAYLOAD_SIZE

struct quic_route;

/* What is known of the largest packets that arrive; see mtu.c. A run: bytes of one stream. */
struct quic_mtu {
	size_t ceiling;	      /* no packet is larger; 0: as ngtcp2 says */
	bool is_watching;     /* large packets are under way, without a sign of them since then */
	bool has_sign;	      /* one was acknowledged by the packet at hand */
	uint64_t since, lost; /* lost: how many packets were lost by then */
	size_t plain_run;     /* the longest in a packet below the ceiling */
	size_t trial, trial_run;
	uint64_t trial_at; /* when the next packet may be larger than the ceiling */
	uint64_t rest;	   /* how long after the last one that was not acknowledged */
};

struct quic_conn {
	ngtcp2_conn *tp;
	struct ssl_st *ssl; /* NULL once a server's handshake is complete */
	struct secret exporter;
	struct key_public peer; /* the key that it proved, once has_peer */
	bool has_peer;
	ngtcp2_crypto_ossl_ctx *crypto;
	ngtcp2_crypto_conn_ref ref;
	const struct tls_context *tls;
	struct quic_settings settings;
	const struct quic_app_ops *ops;
	void *app;
	struct quic_route *route; /* how the server finds it; NULL on a client */
	bool has_tag;
	struct quic_tag tag;	 /* what its ids begin with */
	ngtcp2_cid handshake_id; /* a server's: the first id that it gave out */
	enum quic_state state;
	bool announced; /* over() was called */
	bool was_reset; /* by a stateless reset */
	bool was_asked_to_retry;
	bool was_ready;
	uint64_t received_at, packets_received, packets_lost;
	uint64_t deadline;
	size_t burst;	      /* bytes written since the pacing timer was set */
	uint64_t paced_until; /* what that timer says; 0: it does not matter */
	bool has_more;	      /* a stream has bytes that did not go into the last packet */
	bool is_early;	      /* a client's: there was a ticket of use */
	/* Resting; see write.c. */
	bool is_settled; /* what the end of the handshake has to say was sent */
	bool is_urgent;	 /* there may be more to send than acknowledgements and credit */
	bool is_blocked; /* the last write found no credit of the connection */
	bool owes_credit;
	unsigned int unanswered; /* packets that came since the last write */
	uint64_t rest_until;
	struct tls_tickets tickets;
	struct quic_mtu mtu;
	/* A server's, see path.c: packets in a row from elsewhere, and the port they came to. */
	unsigned int strays;
	in_port_t port;
	/* A server's, see home.c. */
	struct quic_addr home, homes[3];
	unsigned int home_next;
	/* A client's, see probe.c. */
	bool wants_probe;
	struct buf copy;

	/* Why it ends, and the packet that says so, which is sent CLOSE_COPIES times. */
	struct err why;
	ngtcp2_ccerr close_code;
	char close_reason[64];
	unsigned int close_copies;
	size_t close_len;
	struct quic_path close_path;
	uint8_t *close_packet; /* NULL until it is built: most connections are far from their end */
};

/* ngtcp2's view of a path; *path must stay. */
ngtcp2_path quic_path_borrow(struct quic_path *path);
void quic_path_take(const ngtcp2_path *from, struct quic_path *ret);
/*
 * From a path as the server's owner knows it to what ngtcp2 sees of it, for a packet (empty: the
 * first one), and back.
 */
void quic_path_mix(struct quic_conn *conn, struct span packet, struct quic_path *path);
/* The path as the owner of the connection knows it. */
void quic_conn_take_path(const struct quic_conn *conn, const ngtcp2_path *from,
			 struct quic_path *ret);

/* conn.c: what a client's and a server's connection have in common. */
struct quic_conn *quic_conn_alloc(const struct tls_context *tls,
				  const struct quic_settings *settings, struct err *err)
	attr_must_use;
void quic_conn_fill_settings(struct quic_conn *conn, ngtcp2_settings *settings,
			     ngtcp2_transport_params *params, uint64_t now);
void quic_conn_attach_tls(struct quic_conn *conn);
void quic_conn_set_tag(struct quic_conn *conn, const struct quic_tag *tag);
/* The end of a read, a write or an expiry: callbacks that had to wait. */
void quic_conn_end_turn(struct quic_conn *conn);

/* tls.c */
int quic_conn_open_tls(struct quic_conn *conn, struct err *err) attr_must_use;
/* The handshake is complete: keeps what quic_conn_export() needs. */
int quic_conn_finish_tls(struct quic_conn *conn, struct err *err) attr_must_use;
void quic_conn_close_tls(struct quic_conn *conn);
int quic_recv_crypto_data(ngtcp2_conn *tp, ngtcp2_encryption_level level, uint64_t offset,
			  const uint8_t *bytes, size_t len, void *user);

/* write.c: a packet came, perhaps with a mark of congestion. */
void quic_conn_note_packet(struct quic_conn *conn, uint8_t ecn, uint64_t now);

/*
 * mtu.c: how large the next packet may be; one was written, with its longest run of a stream; a run
 * was acknowledged; and a packet came.
 */
size_t quic_mtu_limit(struct quic_conn *conn, uint64_t now);
void quic_mtu_note_sent(struct quic_conn *conn, size_t len, size_t run, uint64_t now);
void quic_mtu_note_acked(struct quic_conn *conn, uint64_t run);
void quic_mtu_note_packet(struct quic_conn *conn, const ngtcp2_conn_info *info, uint64_t now);
/* The largest packet that is known to arrive. */
size_t quic_mtu_size(const struct quic_conn *conn);

/* home.c: the client's path was validated; and a packet came, by whichever path. */
void quic_conn_note_home(struct quic_conn *conn, const struct quic_path *path);
void quic_conn_look_home(struct quic_conn *conn);

/* probe.c: a batch was written, and may have to be written again. True: the copy is in *batch. */
void quic_conn_keep_copy(struct quic_conn *conn, const struct quic_batch *batch, uint64_t now);
bool quic_conn_write_copy(struct quic_conn *conn, struct quic_batch *batch) attr_must_use;

/* ticket.c: a client's, before its first packet. */
void quic_conn_use_ticket(struct quic_conn *conn, const struct quic_ticket *ticket);
bool quic_conn_wants_tickets(struct quic_conn *conn) attr_must_use;
/* The handshake is complete: 0, or an error of ngtcp2 when rejected() fails. */
int quic_conn_end_early(struct quic_conn *conn) attr_must_use;

/* tag.c: a fresh id; tag may be NULL. */
void quic_cid_make(ngtcp2_cid *cid, const struct quic_tag *tag);

/* callbacks.c */
extern const ngtcp2_callbacks quic_callbacks;

/* close.c: an ngtcp2 error code becomes the end of the connection. */
void quic_conn_fail(struct quic_conn *conn, int code);
/* Notes the first cause; later ones are ignored. */
void quic_conn_note(struct quic_conn *conn, const ngtcp2_ccerr *code, const struct err *why);
bool quic_conn_write_close(struct quic_conn *conn, struct quic_batch *batch, uint64_t now)
	attr_must_use;
int err_from_ngtcp2(struct err *err, int code, const char *what);

/* route.c: how a server's connection reports its ids; see route.h. */
bool quic_route_add(struct quic_route *route, const ngtcp2_cid *cid) attr_must_use;
void quic_route_remove(struct quic_route *route, const ngtcp2_cid *cid);
bool quic_route_token(const struct quic_route *route, const ngtcp2_cid *cid,
		      ngtcp2_stateless_reset_token *ret) attr_must_use;
void quic_route_handshake_done(struct quic_route *route);
void quic_route_wants_write(struct quic_route *route);
void quic_route_leave(struct quic_route *route);
