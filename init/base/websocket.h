/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * WebSocket frames (RFC 6455 section 5). Of two kinds are their users: to whom binary messages are
 * one stream of bytes, for proxies that let nothing else through, and to whom it matters where a
 * message begins and ends (websocket_next()). Text frames, reserved bits and frames that are masked
 * where they must not be, or not where they must, end it.
 *
 *	struct websocket ws = WEBSOCKET_INIT(WEBSOCKET_SERVER);
 *
 *	if (websocket_unwrap(&ws, bytes, &len, err) < 0)  in place: what is left is the stream's
 *		...
 *	if (websocket_has_answer(&ws))
 *		...send websocket_answer(&ws, key, out)  a PONG, or the CLOSE that answers one
 *	if (ws.is_closed)
 *		...the end of the stream
 *
 *	head_len = websocket_put_head(ws.role, len, key, head);
 *	websocket_mask(key, 0, bytes, len);		a client's bytes only
 *
 * Memory is the size of the struct, whatever comes: of several PINGs the last one is answered,
 * which section 5.5.3 allows.
 */

#include <stdbool.h>

#include "init/base/err.h"
#include "init/base/span.h"

#define WEBSOCKET_HEAD_MAX 14
#define WEBSOCKET_CONTROL_MAX 125 /* bytes of a PING, PONG or CLOSE */
#define WEBSOCKET_ANSWER_MAX (WEBSOCKET_HEAD_MAX + WEBSOCKET_CONTROL_MAX)
/* What a server appends to the client's key before it takes the SHA-1 (section 4.2.2). */
#define WEBSOCKET_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

/* Ours. A client masks what it sends, a server does not (section 5.1). */
enum websocket_role { WEBSOCKET_CLIENT, WEBSOCKET_SERVER };

/* Fresh and unpredictable for each frame (section 5.3); a server's are not used. */
struct websocket_key {
	uint8_t bytes[4];
};

struct websocket {
	enum websocket_role role;
	bool is_closed; /* the peer sent CLOSE: nothing after it counts */

	/* The frame that is being read. */
	uint8_t head[WEBSOCKET_HEAD_MAX];
	size_t head_len;
	bool in_payload, in_message;
	uint8_t opcode;
	uint64_t len, at; /* of its payload */
	struct websocket_key key;
	uint8_t control[WEBSOCKET_CONTROL_MAX]; /* of a control frame */

	uint8_t answer_opcode; /* 0: none */
	uint8_t answer[WEBSOCKET_CONTROL_MAX];
	size_t answer_len;
};

#define WEBSOCKET_INIT(our_role) ((struct websocket){ .role = (our_role) })

/*
 * Takes *len bytes as they came; afterwards the first *len of them are the stream's, unmasked. -1
 * when they break the protocol; the bytes are then worth nothing.
 */
int websocket_unwrap(struct websocket *ws, uint8_t *bytes, size_t *len, struct err *err)
	attr_must_use;

/*
 * Part of the payload of a binary message, in the bytes as they came, unmasked. A message comes in
 * one piece or more; an empty one is a piece of no bytes.
 */
struct websocket_piece {
	uint8_t *bytes;
	size_t len;
	bool begins, ends; /* a message */
};

/*
 * The next piece, which leaves *bytes. 1: it is in *ret; 0: all was taken, or the peer has closed;
 * -1: they break the protocol.
 */
int websocket_next(struct websocket *ws, uint8_t **bytes, size_t *len, struct websocket_piece *ret,
		   struct err *err) attr_must_use;

bool websocket_has_answer(const struct websocket *ws);
/* Writes the frame that is owed, which then is not owed any more; returns its length. */
size_t websocket_answer(struct websocket *ws, const struct websocket_key *key,
			uint8_t out[WEBSOCKET_ANSWER_MAX]);

/* The head of a binary frame, at most WEBSOCKET_HEAD_MAX bytes; returns its length. */
size_t websocket_put_head(enum websocket_role role, uint64_t len, const struct websocket_key *key,
			  uint8_t *out);
/* Masks and unmasks; `at` is where in the payload of the frame the bytes stand. */
void websocket_mask(const struct websocket_key *key, uint64_t at, uint8_t *bytes, size_t len);
/* An empty PING, for a proxy between that ends what is idle; returns its length. */
size_t websocket_put_ping(enum websocket_role role, const struct websocket_key *key, uint8_t *out);
/* A CLOSE with the status 1000. */
size_t websocket_put_close(enum websocket_role role, const struct websocket_key *key, uint8_t *out);
