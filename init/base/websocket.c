/* SPDX-License-Identifier: MIT */
/* WebSocket frames; see websocket.h. */
#include "websocket.h"

#include <assert.h>
#include <string.h>

#define FIN 0x80
#define MASKED 0x80
#define LEN_16 126 /* the length follows in 2 bytes */
#define LEN_64 127 /* in 8 */

enum opcode {
	CONTINUATION = 0,
	TEXT = 1,
	BINARY = 2,
	CLOSE = 8,
	PING = 9,
	PONG = 10,
};

static bool is_control(uint8_t opcode)
{
	return opcode >= CLOSE;
}

/* How many bytes the head has, as far as its first two tell. */
static size_t head_size(const struct websocket *ws)
{
	uint8_t len = ws->head[1] & 0x7f;
	size_t size = 2;

	if (ws->head_len < 2)
		return 2;
	if (len == LEN_16)
		size += 2;
	else if (len == LEN_64)
		size += 8;
	return size + (ws->head[1] & MASKED ? sizeof(ws->key.bytes) : 0);
}

static int check_opcode(const struct websocket *ws, bool is_final, struct err *err)
{
	switch (ws->opcode) {
	case CONTINUATION:
		if (!ws->in_message)
			return err_set(err, ERR_PROTOCOL, "a WebSocket message has no beginning");
		return 0;
	case BINARY:
		if (ws->in_message)
			return err_set(err, ERR_PROTOCOL, "a WebSocket message has no end");
		return 0;
	case CLOSE:
	case PING:
	case PONG:
		if (!is_final || ws->len > WEBSOCKET_CONTROL_MAX)
			return err_set(err, ERR_PROTOCOL, "a WebSocket control frame is too long");
		return 0;
	default:
		return err_set(err, ERR_PROTOCOL, "a WebSocket frame of kind %u", ws->opcode);
	}
}

/* The head is all there. */
static int begin_frame(struct websocket *ws, struct err *err)
{
	uint8_t len = ws->head[1] & 0x7f;
	size_t extended = len == LEN_16 ? 2 : len == LEN_64 ? 8 : 0;
	bool is_masked = ws->head[1] & MASKED, is_final = ws->head[0] & FIN;

	ws->opcode = ws->head[0] & 0x0f;
	ws->at = 0;
	ws->len = extended ? 0 : len;
	for (size_t i = 0; i < extended; i++)
		ws->len = ws->len << 8 | ws->head[2 + i];
	if (ws->head[0] & 0x70)
		return err_set(err, ERR_PROTOCOL, "a WebSocket frame of an extension");
	if (is_masked != (ws->role == WEBSOCKET_SERVER))
		return err_set(err, ERR_PROTOCOL, "a WebSocket frame is %s",
			       is_masked ? "masked" : "not masked");
	if (ws->len > INT64_MAX)
		return err_set(err, ERR_PROTOCOL, "the length of a WebSocket frame is negative");
	if (check_opcode(ws, is_final, err) < 0)
		return -1;
	if (is_masked)
		memcpy(ws->key.bytes, ws->head + 2 + extended, sizeof(ws->key.bytes));
	if (!is_control(ws->opcode))
		ws->in_message = !is_final;
	ws->in_payload = true;
	return 0;
}

static void end_frame(struct websocket *ws)
{
	ws->in_payload = false;
	ws->head_len = 0;
	if (ws->opcode != PING && ws->opcode != CLOSE)
		return;
	/* A CLOSE is answered with its own status (section 5.5.1), a PING with its own bytes. */
	ws->answer_opcode = ws->opcode == PING ? PONG : CLOSE;
	ws->answer_len = (size_t)ws->len;
	memcpy(ws->answer, ws->control, ws->answer_len);
	ws->is_closed = ws->opcode == CLOSE;
}

void websocket_mask(const struct websocket_key *key, uint64_t at, uint8_t *bytes, size_t len)
{
	uint8_t turned[8];
	uint64_t mask, word;
	size_t i = 0;

	for (size_t k = 0; k < sizeof(turned); k++)
		turned[k] = key->bytes[(at + k) % sizeof(key->bytes)];
	memcpy(&mask, turned, sizeof(mask));
	for (; i + sizeof(word) <= len; i += sizeof(word)) {
		memcpy(&word, bytes + i, sizeof(word));
		word ^= mask;
		memcpy(bytes + i, &word, sizeof(word));
	}
	for (; i < len; i++)
		bytes[i] ^= turned[i % sizeof(turned)];
}

/* Part of a frame's payload: unmasked in place, and kept when it is a control frame's. */
static void take_payload(struct websocket *ws, uint8_t *bytes, size_t len)
{
	if (ws->role == WEBSOCKET_SERVER)
		websocket_mask(&ws->key, ws->at, bytes, len);
	if (is_control(ws->opcode)) {
		assert(ws->at + len <= sizeof(ws->control));
		memcpy(ws->control + ws->at, bytes, len);
	}
	ws->at += len;
}

int websocket_next(struct websocket *ws, uint8_t **bytes, size_t *len, struct websocket_piece *ret,
		   struct err *err)
{
	/* A frame whose payload is empty is at its end when its head is. */
	while (!ws->is_closed && (*len > 0 || (ws->in_payload && ws->at == ws->len))) {
		bool begins = ws->opcode == BINARY && ws->at == 0, is_ours;
		size_t part;

		if (!ws->in_payload) {
			ws->head[ws->head_len++] = *(*bytes)++;
			--*len;
			if (ws->head_len == head_size(ws) && begin_frame(ws, err) < 0)
				return -1;
			continue;
		}
		part = (size_t)MIN(ws->len - ws->at, *len);
		is_ours = !is_control(ws->opcode);
		*ret = (struct websocket_piece){ .bytes = *bytes, .len = part, .begins = begins };
		take_payload(ws, *bytes, part);
		*bytes += part;
		*len -= part;
		if (ws->at == ws->len) {
			ret->ends = !ws->in_message;
			end_frame(ws);
		}
		if (is_ours)
			return 1;
	}
	return 0;
}

int websocket_unwrap(struct websocket *ws, uint8_t *bytes, size_t *len, struct err *err)
{
	struct websocket_piece piece;
	uint8_t *from = bytes;
	size_t left = *len, to = 0;
	int result;

	while ((result = websocket_next(ws, &from, &left, &piece, err)) > 0) {
		if (bytes + to != piece.bytes)
			memmove(bytes + to, piece.bytes, piece.len);
		to += piece.len;
	}
	*len = to;
	return result;
}

static size_t put_frame(enum websocket_role role, uint8_t opcode, uint64_t len,
			const struct websocket_key *key, uint8_t *out)
{
	size_t extended = len < LEN_16 ? 0 : len <= UINT16_MAX ? 2 : 8, size = 2 + extended;

	out[0] = (uint8_t)(FIN | opcode);
	out[1] = (uint8_t)(extended == 0 ? len : extended == 2 ? LEN_16 : LEN_64);
	for (size_t i = 0; i < extended; i++)
		out[2 + i] = (uint8_t)(len >> (8 * (extended - 1 - i)));
	if (role == WEBSOCKET_SERVER)
		return size;
	out[1] |= MASKED;
	memcpy(out + size, key->bytes, sizeof(key->bytes));
	return size + sizeof(key->bytes);
}

static size_t put_control(enum websocket_role role, uint8_t opcode, struct span payload,
			  const struct websocket_key *key, uint8_t *out)
{
	size_t head = put_frame(role, opcode, payload.len, key, out);

	if (payload.len)
		memcpy(out + head, payload.ptr, payload.len);
	if (role == WEBSOCKET_CLIENT)
		websocket_mask(key, 0, out + head, payload.len);
	return head + payload.len;
}

bool websocket_has_answer(const struct websocket *ws)
{
	return ws->answer_opcode != 0;
}

size_t websocket_answer(struct websocket *ws, const struct websocket_key *key,
			uint8_t out[WEBSOCKET_ANSWER_MAX])
{
	uint8_t opcode = ws->answer_opcode;

	ws->answer_opcode = 0;
	return put_control(ws->role, opcode, span_of(ws->answer, ws->answer_len), key, out);
}

size_t websocket_put_head(enum websocket_role role, uint64_t len, const struct websocket_key *key,
			  uint8_t *out)
{
	return put_frame(role, BINARY, len, key, out);
}

size_t websocket_put_ping(enum websocket_role role, const struct websocket_key *key, uint8_t *out)
{
	return put_control(role, PING, (struct span){ 0 }, key, out);
}

size_t websocket_put_close(enum websocket_role role, const struct websocket_key *key, uint8_t *out)
{
	static const uint8_t normal[] = { 1000 >> 8, 1000 & 0xff };

	return put_control(role, CLOSE, span_of(normal, sizeof(normal)), key, out);
}
