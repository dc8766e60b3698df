/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A TCP connection to a name, over whichever of its addresses answers first (RFC 8305): families
 * alternate, attempts start 250 ms apart or as soon as one failed, the first that connects wins.
 *
 *	struct stream_race *race = stream_race_new(loop, "relay.example.org", 443, done, me);
 *
 *	done(me, fd, &remote, NULL)  the socket is the callee's; the race frees itself
 *	done(me, -1, NULL, why)      the text names no host: the caller knows it
 *	stream_race_cancel(race)     instead of waiting for done()
 */

#include <uv.h>

#include "init/base/err.h"
#include "tunnel/quic/conn.h"

struct stream_race;

typedef void stream_race_done(void *owner, int fd, const struct quic_addr *remote,
			      const struct err *why);

/* An address needs no name service. Never calls done() from inside. */
struct stream_race *stream_race_new(uv_loop_t *loop, const char *host, uint16_t port,
				    stream_race_done *done, void *owner);
/* done() will not be called. NULL is fine. */
void stream_race_cancel(struct stream_race *race);

/*
 * What every TCP socket of ours gets, dialled or accepted: no delay of small writes; little that is
 * unsent in the kernel; an end within seconds when what was sent is not acknowledged, and within
 * minutes when the other end went without a word; BBR where the system allows it.
 */
void stream_tune(int fd);
