/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A TCP port that accepts connections, so many at once, and so many from one address (IPv6: one
 * network of 64 bits). What is above that is closed at once.
 *
 *	struct stream_port *port = stream_port_new(&config, err);
 *
 *	accepted(owner, fd, &from)	the socket is the callee's
 *	stream_port_release(port, &from)	a connection that was accepted is gone
 *
 * When the process has no descriptor left, it stops accepting for a moment: those that come wait in
 * the kernel, and the loop does not spin.
 */

#include <uv.h>

#include "init/base/err.h"
#include "tunnel/quic/conn.h"

struct stream_port;

struct stream_port_config {
	uv_loop_t *loop;
	struct quic_addr listen;     /* all zero: every address and any port (udp.h) */
	size_t max, per_address_max; /* 0: as many as max */
	void (*accepted)(void *owner, int fd, const struct quic_addr *from);
	void *owner;
};

/* ERR_EXISTS when the port is taken. */
struct stream_port *stream_port_new(const struct stream_port_config *config, struct err *err)
	attr_must_use;
const struct quic_addr *stream_port_local(const struct stream_port *port);
void stream_port_release(struct stream_port *port, const struct quic_addr *from);
/* How many are there, and how many were refused since the start. */
size_t stream_port_count(const struct stream_port *port);
uint64_t stream_port_refused(const struct stream_port *port);
/* Stops listening; connections stay, and are released as before. */
void stream_port_stop(struct stream_port *port);
/* Frees it, in a later turn of the loop. NULL is fine. All connections were released. */
void stream_port_close(struct stream_port *port);
