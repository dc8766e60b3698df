/* SPDX-License-Identifier: MIT */
/*
 * WebSocket frames: however the bytes are split, the same stream comes out, and never more than
 * went in. Messages begin and end in turn. The first byte chooses the role and the split.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "init/base/alloc.h"
#include "init/base/cleanup.h"
#include "init/base/websocket.h"

struct seen {
	bool in_message;
	uint64_t sum;
	size_t len;
	bool is_closed, has_answer;
};

/* The same, piece by piece: a message begins where the one before has ended. */
static int read_pieces(struct websocket *ws, uint8_t *bytes, size_t *len, bool *in_message)
{
	struct websocket_piece piece;
	uint8_t *at = bytes;
	size_t left = *len, kept = 0;
	int result;

	while ((result = websocket_next(ws, &at, &left, &piece, NULL)) > 0) {
		assert(piece.bytes >= bytes && piece.bytes + piece.len <= bytes + *len);
		assert(piece.begins ? !*in_message : *in_message);
		*in_message = !piece.ends;
		memmove(bytes + kept, piece.bytes, piece.len);
		kept += piece.len;
	}
	*len = kept;
	return result;
}

static int feed(enum websocket_role role, struct span input, size_t step, struct seen *seen)
{
	static const struct websocket_key key = { { 1, 2, 3, 4 } };
	struct websocket ws = WEBSOCKET_INIT(role);
	uint8_t answer[WEBSOCKET_ANSWER_MAX];
	int result = 0;

	while (input.len > 0 && result == 0) {
		struct span part = span_cut(&input, MIN(step, input.len));
		cleanup_free uint8_t *bytes = new_array(uint8_t, part.len);
		size_t len = part.len;

		memcpy(bytes, part.ptr, part.len);
		if (step % 2 == 0)
			result = websocket_unwrap(&ws, bytes, &len, NULL);
		else
			result = read_pieces(&ws, bytes, &len, &seen->in_message);
		if (result < 0)
			break;
		assert(len <= part.len);
		for (size_t i = 0; i < len; i++)
			seen->sum = (seen->sum ^ bytes[i]) * UINT64_C(0x100000001b3);
		seen->len += len;
	}
	seen->is_closed = ws.is_closed;
	seen->has_answer = websocket_has_answer(&ws);
	if (seen->has_answer)
		assert(websocket_answer(&ws, &key, answer) <= sizeof(answer));
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct seen at_once = { 0 }, split = { 0 };
	struct span input = span_of(bytes, len);
	enum websocket_role role;
	uint8_t how;

	if (len == 0)
		return 0;
	how = span_cut(&input, 1).ptr[0];
	role = how & 1 ? WEBSOCKET_CLIENT : WEBSOCKET_SERVER;
	/* Of bytes that break the protocol, those of the last piece do not come out. */
	if (feed(role, input, SIZE_MAX, &at_once) < 0) {
		assert(feed(role, input, 1U + how / 2, &split) < 0);
		return 0;
	}
	assert(feed(role, input, 1U + how / 2, &split) == 0);
	assert(at_once.sum == split.sum && at_once.len == split.len);
	assert(at_once.is_closed == split.is_closed && at_once.has_answer == split.has_answer);
	return 0;
}
