/* SPDX-License-Identifier: MIT */
#pragma once

/* What a relay tells Prometheus: the figures of its core and of its QUIC server. */

#include "init/base/buf.h"
#include "tunnel/relay/core.h"

struct report_figures {
	size_t connections, handshakes; /* of QUIC, now */
	size_t streams;			/* over TCP, now */
	uint64_t streams_refused;	/* for want of room */
	uint64_t kernel_dropped;	/* datagrams for which the socket had no room */
	double started;			/* seconds since the epoch */
};

/* Appends as much as fits: whole lines. */
void report_write(const struct core *core, const struct report_figures *figures, struct buf *b);
