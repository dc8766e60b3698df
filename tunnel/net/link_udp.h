/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * One control connection of a link over UDP: QUIC to the relay, HTTP/3 on it, and on that the
 * stream of capsules. It is made, says HELLO once it is told to, and ends; what comes before and
 * after is link_core.h's. Like quic/conn.h it does no I/O and knows no clock.
 */

#include "tunnel/net/enrol.h"
#include "tunnel/quic/conn.h"

struct link_udp;

struct link_udp_ops {
	/* The relay proved its key: HELLO may be said. */
	void (*ready)(void *owner);
	/*
	 * It is over, once. was_reset: the relay does not know this connection any more, so that
	 * another one is worth a try at once. Not to be freed in here.
	 */
	void (*over)(void *owner, const struct err *why, bool was_reset);
	void (*wants_write)(void *owner);
	const struct enrol_ops *heard;
};

struct link_udp_config {
	const struct tls_context *tls; /* to the relay; these are borrowed */
	const struct enrol *enrol;
	struct quic_path path;
	struct quic_tag tag;	  /* of this connection's own ids */
	struct quic_tag peer_tag; /* of the relay's */
	uint64_t now;
	const struct link_udp_ops *ops;
	void *owner;
};

struct link_udp *link_udp_new(const struct link_udp_config *config, struct err *err) attr_must_use;
/* Not from inside a callback. */
struct link_udp *link_udp_free(struct link_udp *udp);
DEFINE_CLEANUP(struct link_udp, link_udp_free)

/* Says goodbye: the relay forgets the registration at once. What is to be sent follows. */
void link_udp_close(struct link_udp *udp);

int link_udp_hello(struct link_udp *udp, struct err *err) attr_must_use;

void link_udp_read(struct link_udp *udp, uint8_t ecn, struct span packet, uint64_t now);
bool link_udp_write(struct link_udp *udp, struct quic_batch *batch, uint64_t now) attr_must_use;
uint64_t link_udp_deadline(const struct link_udp *udp);
void link_udp_expire(struct link_udp *udp, uint64_t now);

/* To another local address, at once; see quic_conn_migrate(). */
int link_udp_migrate(struct link_udp *udp, const struct quic_addr *local, uint64_t now,
		     struct err *err) attr_must_use;
void link_udp_set_keep_alive(struct link_udp *udp, uint64_t keep_alive_ns);
/* Asks for a sign of life. */
void link_udp_probe(struct link_udp *udp);
/* When the last packet of the relay came; 0: none did. */
uint64_t link_udp_heard_at(const struct link_udp *udp);
uint64_t link_udp_rtt(const struct link_udp *udp);
