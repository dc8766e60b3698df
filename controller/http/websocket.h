/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A WebSocket to an HTTP server (RFC 6455), as a client: the request that opens it, and binary
 * messages both ways. Nothing blocks after it is open: the owner polls its descriptor.
 *
 *	if (http_websocket_open(http, &request, protocols, &ws, &response, err) < 0)
 *		return -1;
 *	...	poll(http_websocket_fd(ws), http_websocket_events(ws))
 *	if (http_websocket_turn(ws, err) < 0)
 *		return -1;
 *	while ((got = http_websocket_read(ws, &piece, err)) > 0)
 *		...	(piece.bytes, until the next call)
 *	if (http_websocket_room(ws) >= len && http_websocket_send(ws, head, payload, err) < 0)
 *		return -1;
 *
 * What was read is handed out before more is read, and what is sent waits in a buffer of
 * HTTP_WEBSOCKET_WAITING bytes: nothing that the server sends takes more memory. PINGs are
 * answered, and a CLOSE, in passing.
 */

#include "controller/http/http.h"
#include "init/base/websocket.h"

#define HTTP_WEBSOCKET_WAITING (256 * 1024)

struct http_websocket;

/*
 * Asks for it with the request's path and headers; protocols: those that we speak, best first,
 * NULL-terminated. What the server refuses with is in *response. ERR_PROTOCOL: it answers as no
 * WebSocket does, or with a protocol that was not offered.
 */
int http_websocket_open(struct http *http, const struct http_request *request,
			const char *const *protocols, struct http_websocket **ret,
			struct http_response *response, struct err *err) attr_must_use;
/* Says CLOSE, if that can be said at once. */
struct http_websocket *http_websocket_close(struct http_websocket *ws);
DEFINE_CLEANUP(struct http_websocket, http_websocket_close)

/* Which of the protocols the server took; the first, when it named none. */
size_t http_websocket_protocol(const struct http_websocket *ws);

/* What to poll for: never POLLIN while there is something to be read out. */
int http_websocket_fd(const struct http_websocket *ws);
short http_websocket_events(const struct http_websocket *ws);

/* Writes what waits and reads what has come, as far as neither blocks. */
int http_websocket_turn(struct http_websocket *ws, struct err *err) attr_must_use;

/* 1: *ret is part of a message; 0: nothing, or no more; -1: the server breaks the protocol. */
int http_websocket_read(struct http_websocket *ws, struct websocket_piece *ret, struct err *err)
	attr_must_use;
/* The server has said CLOSE or hung up, and all was read out. */
bool http_websocket_has_ended(const struct http_websocket *ws);

/* How long a message may be that is sent now. */
size_t http_websocket_room(const struct http_websocket *ws);
/*
 * One message of two parts, at most http_websocket_room() together. Nobody gets it where the server
 * reads no more: why it does not is in what it has sent.
 */
int http_websocket_send(struct http_websocket *ws, struct span head, struct span payload,
			struct err *err) attr_must_use;

/*
 * For one that was idle, which proxies between end after a while: a PING, unless something waits to
 * be sent that is as good. Nobody waits for the PONG: a server that cannot go on reading, since the
 * program behind it does not, sends none. One that is gone shows as TCP gives the PING up.
 */
int http_websocket_ping(struct http_websocket *ws, struct err *err) attr_must_use;
