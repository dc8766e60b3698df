/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A byte stream on a libuv loop, and everything that it takes until bytes go both ways:
 *
 *	dialled:  TCP to a host, or a program's standard input and output (`ssh -W`)
 *	          -> CONNECT at an HTTP proxy -> TLS with a pinned key -> Upgrade, or a WebSocket
 *	accepted: a socket -> TLS -> a request, which the owner answers
 *
 *	struct stream *s = stream_dial(&config, &ops, me);
 *
 *	up(s):        ...stream_write(s, parts, count)
 *	received(s, bytes):  ...
 *	over(s, why): stream_close(s)
 *
 * Back-pressure. stream_write() takes all it is given; what the kernel does not take at once waits,
 * and then stream_is_blocked(): whoever has bulk keeps it until writable(). What waits is at most
 * STREAM_QUEUE_MAX; a peer that reads so slowly that more would wait loses the stream. TCP keeps
 * little unsent (TCP_NOTSENT_LOWAT), so that what is blocked is so early and not seconds later.
 *
 * Nothing here blocks. A stream that is not up after its timeout is over. Callbacks may close the
 * stream; its memory goes back in a later turn of the loop.
 */

#include <sys/uio.h>
#include <uv.h>

#include "init/base/err.h"
#include "init/base/secret.h"
#include "init/base/span.h"
#include "tunnel/crypto/tls.h"
#include "tunnel/quic/conn.h"
#include "tunnel/wire/http1.h"

#define STREAM_TIMEOUT (10 * NSEC_PER_SEC) /* until it is up */
#define STREAM_WRITE_MAX (72 * 1024)	   /* bytes of one stream_write() */
#define STREAM_QUEUE_MAX (256 * 1024)	   /* bytes that wait, if not told otherwise */

struct stream;

struct stream_ops {
	/* Bytes go both ways from now on. */
	void (*up)(struct stream *stream, void *owner);
	/* Borrowed for the call. */
	void (*received)(struct stream *stream, void *owner, struct span bytes);
	/* All that came in this turn was handed over. */
	void (*turn)(struct stream *stream, void *owner);
	/* What waited has left. */
	void (*writable)(struct stream *stream, void *owner);
	/* It never came up, or it has ended, which has a reason, too; once. */
	void (*over)(struct stream *stream, void *owner, const struct err *why);
	/*
	 * Accepted streams: what the peer wants. Answer it with stream_accept() or
	 * stream_respond() before this returns. The head is borrowed for the call.
	 */
	void (*request)(struct stream *stream, void *owner, const struct http1_head *head);
};

struct stream_dial_config {
	uv_loop_t *loop;
	const char *host; /* a name, or an address without brackets. All text is copied */
	uint16_t port;
	/*
	 * NULL, or a program that is started and whose standard input and output are the stream;
	 * the last one is NULL. host and port are then what it reaches, for messages and for Host.
	 */
	const char *const *command;
	bool use_proxy;		       /* what the environment says (proxy.h) */
	const struct tls_context *tls; /* NULL: plain. TLS_CLIENT; borrowed */
	const char *path, *protocol;   /* GET path, Upgrade: protocol */
	bool websocket;		       /* where the Upgrade is refused, try it as a WebSocket */
	uint64_t timeout_ns;	       /* 0: STREAM_TIMEOUT */
};

struct stream *stream_dial(const struct stream_dial_config *config, const struct stream_ops *ops,
			   void *owner);

struct stream_accept_config {
	uv_loop_t *loop;
	int fd;			       /* a connected socket, taken */
	const struct tls_context *tls; /* NULL: plain. TLS_SERVER; borrowed */
	uint64_t timeout_ns;	       /* until the head is there; 0: STREAM_TIMEOUT */
	size_t queue_max;	       /* 0: STREAM_QUEUE_MAX */
};

struct stream *stream_new_accepted(const struct stream_accept_config *config,
				   const struct stream_ops *ops, void *owner);

/*
 * The answer to request(), if it asks for this protocol, by Upgrade or as a WebSocket with this
 * subprotocol: 101, and the stream is up (up() is not called). False: it does not.
 */
bool stream_accept(struct stream *stream, const struct http1_head *head, const char *protocol)
	attr_must_use;
/*
 * An answer that ends it: a status and a line of text. over() follows when it has left; the reason
 * is ERR_NONE then.
 */
void stream_respond(struct stream *stream, unsigned int status, const char *text);

/*
 * Nothing more is written: over() is called with this reason when what waits has left, and what
 * comes until then is ignored.
 */
void stream_finish(struct stream *stream, const struct err *why);
/* Ends it: over() is called with this reason, in a later turn. */
void stream_fail(struct stream *stream, const struct err *why);

/* Another owner, whom everything is told from now on. */
void stream_set_owner(struct stream *stream, const struct stream_ops *ops, void *owner);

/* Says the end as the stream has it, and gives everything back to the loop. NULL is fine. */
void stream_close(struct stream *stream);

/*
 * At most STREAM_WRITE_MAX bytes, all of which are taken. False: too much waits already, and none
 * was taken.
 */
bool stream_write(struct stream *stream, const struct iovec *parts, size_t count);
bool stream_is_blocked(const struct stream *stream);
size_t stream_waiting(const struct stream *stream); /* bytes */

/* The other end of the socket; all zero for a program's. */
const struct quic_addr *stream_remote(const struct stream *stream);
/* How it goes, for messages: "relay.example.org:443 through the proxy proxy.example:3128". */
const char *stream_way(const struct stream *stream);

/*
 * A secret that only this end and the other end of TLS have, by the label, as quic_conn_export()
 * makes it. -1 where there is no TLS.
 */
int stream_export(const struct stream *stream, const char *label, struct secret *ret,
		  struct err *err) attr_must_use;
