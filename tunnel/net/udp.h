/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A UDP socket for QUIC, on a libuv loop. libuv's own uv_udp knows neither segmentation offload nor
 * ECN nor which local address a datagram came to, and those make it several times slower; so the
 * socket is ours and libuv only says when it is readable (uv_poll).
 *
 * Receiving: recvmsg(2) with UDP_GRO gives up to 64 datagrams of one peer in one call. A turn of
 * the loop takes a limited number of calls, so that acknowledgements and timers are never starved,
 * and ends with turn().
 *
 * Sending: the owner fills udp_batch() and calls udp_send(), which is one sendmsg(2) with
 * UDP_SEGMENT. When the socket is full the batch stays where it is and udp_is_blocked() is true
 * until it has left, which writable() tells. A datagram that cannot be sent for another reason is a
 * lost datagram, no more: QUIC repairs it, and the errors of one moment (an interface that goes
 * away, an ICMP message) must not end a connection that outlives them.
 *
 * A socket with a remote address is connected: the kernel chooses the local address, and reports
 * what nobody receives at the other end (ECONNREFUSED) through refused(), as a hint.
 */

#include <uv.h>

#include "init/base/err.h"
#include "tunnel/quic/conn.h"

/* Datagrams that came from one peer to one address, all of them `segment` long but the last. */
struct udp_datagrams {
	struct quic_path path;
	uint8_t ecn;
	size_t segment;
	struct span bytes;
};

struct udp;

struct udp_ops {
	/* Borrowed for the call. The socket must not be closed in here; see turn(). */
	void (*received)(struct udp *udp, void *owner, const struct udp_datagrams *datagrams);
	/* All that came in this turn was handed over. */
	void (*turn)(struct udp *udp, void *owner);
	/* The batch that waited has left. */
	void (*writable)(struct udp *udp, void *owner);
	/* Connected sockets: nobody receives there at the moment. */
	void (*refused)(struct udp *udp, void *owner);
};

struct udp {
	uv_poll_t poll;
	bool open;
	int fd, family, events;
	bool connected, gso;
	struct quic_addr local; /* with the port; its address is the wildcard unless connected */
	const struct udp_ops *ops;
	void *owner;
	void (*closed)(struct udp *udp, void *owner);
	uint64_t dropped; /* by the kernel, for want of room in the receive buffer */
	size_t unsent;	  /* how many bytes of what is being sent still have to leave; 0: none */
	const struct quic_batch *sending; /* batch, or the caller's */
	const struct quic_path *along;	  /* where it goes */
	struct quic_batch batch;
	uint8_t received[64 * 1024];
};

/*
 * One of the two; the other is all zero. Listening on nothing at all means every address, and any
 * port.
 */
struct udp_config {
	struct quic_addr listen, remote;
	const struct udp_ops *ops;
	void *owner;
};

/* ERR_EXISTS when the port is taken. */
int udp_open(struct udp *udp, uv_loop_t *loop, const struct udp_config *config, struct err *err)
	attr_must_use;
/* closed is called once the memory is the owner's again; at once when it was never opened. */
void udp_close(struct udp *udp, void (*closed)(struct udp *udp, void *owner));

/*
 * The local address, without a port, that the kernel uses to reach a remote one; all zero: no
 * route.
 */
struct quic_addr udp_source(const struct quic_addr *remote);

struct quic_batch *udp_batch(struct udp *udp);
/* Sends udp_batch(); false when it has to wait. Not while udp_is_blocked(). */
bool udp_send(struct udp *udp);
/* The same with a batch of the caller's, which must stay as it is while it waits. */
bool udp_send_batch(struct udp *udp, const struct quic_batch *batch);
/*
 * The same with a batch of somebody else, along a path that need not be the one that it names. All
 * of it is taken: what has to wait is copied.
 */
bool udp_send_along(struct udp *udp, const struct quic_path *path, const struct quic_batch *batch);
/*
 * Sends datagrams of one size (the last may be shorter) from the caller's memory, now: false when
 * they, or some of them, were dropped, as when the socket is full. For a relay, which keeps
 * nothing.
 */
bool udp_pass(struct udp *udp, const struct quic_path *path, uint8_t ecn, size_t segment,
	      struct span bytes);
bool udp_is_blocked(const struct udp *udp);
