/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A stream from the inside: stream.c moves bytes, stream_dial.c and stream_answer.c are what
 * happens before they are the owner's, on either end.
 *
 * Bytes go through layers, each of which may be absent:
 *
 *	socket -> took()        -> TLS -> heads of HTTP/1 -> WebSocket -> received()
 *	socket <- stream_put()  <- TLS <------------------- WebSocket <- stream_write()
 *
 * The end. Whatever goes wrong, stream_fail() notes it and stops reading; over() is called in a
 * later turn, so that no owner is surprised inside a call of its own.
 */

#include "init/base/buf.h"
#include "tunnel/crypto/tls_stream.h"
#include "tunnel/net/proxy.h"
#include "tunnel/net/stream.h"
#include "tunnel/net/stream_child.h"
#include "tunnel/net/stream_race.h"
#include "init/base/websocket.h"

enum stream_stage {
	STREAM_DIALLING,  /* until there is a socket */
	STREAM_PROXYING,  /* until the proxy has answered CONNECT */
	STREAM_SECURING,  /* until TLS is ready */
	STREAM_ASKING,	  /* until the request was answered, or is there (accepted) */
	STREAM_OPEN,	  /* bytes are the owner's */
	STREAM_ANSWERING, /* an answer has to leave, and then it is over */
	STREAM_OVER,	  /* over() was called, or will be in the next turn */
};

/* One socket of a stream, which may have several after each other. */
struct stream_socket {
	uv_poll_t poll;
	int fd, events;
	struct stream *stream;
};

#define STREAM_WAY_MAX 600
#define STREAM_SOCKET_KEY_LEN 24 /* base64 of 16 bytes */

struct stream {
	const struct stream_ops *ops;
	void *owner;
	uv_loop_t *loop;
	enum stream_stage stage;
	bool closing, is_server;

	/* What was asked for; copies. */
	char *host, *path, *protocol;
	uint16_t port;
	char **command;
	bool use_proxy, may_websocket;
	const struct tls_context *context;
	uint64_t timeout_ns;
	size_t queue_max;

	struct proxy proxy; /* host is empty: none */
	struct stream_race *race;
	struct stream_child *child;
	bool child_ended, at_end; /* the program has, and its output has */
	struct stream_socket *socket;
	struct quic_addr remote;
	uv_timer_t timer;
	unsigned int handles; /* that the loop has not given back */

	struct tls_stream *tls;
	struct buf head; /* of a message that is not complete */
	bool is_websocket;
	char websocket_key[STREAM_SOCKET_KEY_LEN + 1];
	struct websocket websocket;
	struct buf out; /* what the socket did not take */
	struct err why;
	char way[STREAM_WAY_MAX];
};

/* stream.c */

struct stream *stream_new(uv_loop_t *loop, const struct stream_ops *ops, void *owner);
void stream_start_timer(struct stream *s, uint64_t ns);
/* The socket is taken. -1: it cannot be watched, and was closed. */
int stream_open_socket(struct stream *s, int fd, struct err *err) attr_must_use;
void stream_close_socket(struct stream *s);
/* Bytes are the owner's from now on. */
void stream_open(struct stream *s);
void stream_ended(struct stream *s); /* the other end sends nothing more */

/* stream_flow.c */

void stream_on_event(uv_poll_t *poll, int status, int events);
void stream_watch(struct stream *s);
bool stream_is_readable(const struct stream *s);
/* Through TLS if there is any; all is taken. */
void stream_put(struct stream *s, const struct iovec *parts, size_t count);
void stream_put_text(struct stream *s, struct buf *text);
/* Starts TLS, whose first flight leaves if it is ours to begin. */
int stream_start_tls(struct stream *s, struct err *err) attr_must_use;
/* A last frame and the end of TLS, as far as the socket takes them. */
void stream_put_goodbye(struct stream *s);

/* stream_dial.c: a stream that was dialled, until it is open. */

/* CONNECT was answered. 1: go on with what follows; -1: it was refused. */
int stream_dial_proxied(struct stream *s, const struct http1_head *head, struct err *err)
	attr_must_use;
void stream_dial_secured(struct stream *s);
/* The Upgrade was answered. 1: it is open; 0: it is dialled once more. */
int stream_dial_answered(struct stream *s, const struct http1_head *head, struct err *err)
	attr_must_use;
int stream_dial_timed_out(const struct stream *s, struct err *err);
void stream_dial_stop(struct stream *s);

/* stream_answer.c: a stream that was accepted. */

void stream_asked(struct stream *s, const struct http1_head *head);
/* What a server answers to a WebSocket's key (RFC 6455 section 4.2.2). */
#define STREAM_ACCEPT_LEN 28 /* base64 of a SHA-1 */
void stream_websocket_accept(struct span key, char out[STREAM_ACCEPT_LEN + 1]);
