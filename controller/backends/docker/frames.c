/* SPDX-License-Identifier: MIT */
/* The multiplexed stream; see frames.h. */
#include "frames.h"

static bool take_head(struct frames *f)
{
	const uint8_t *h = f->head;

	if (h[0] > FRAMES_ERROR || h[1] || h[2] || h[3])
		return false;
	f->which = (enum frames_which)h[0];
	f->left = (uint64_t)h[4] << 24 | (uint64_t)h[5] << 16 | (uint64_t)h[6] << 8 | h[7];
	f->head_len = 0;
	return true;
}

int frames_next(struct frames *f, struct span *bytes, struct span *ret)
{
	while (f->left == 0) {
		struct span part =
			span_cut(bytes, MIN(bytes->len, (size_t)FRAMES_HEAD - f->head_len));

		if (part.len == 0)
			return 0;
		memcpy(f->head + f->head_len, part.ptr, part.len);
		f->head_len += part.len;
		if (f->head_len < FRAMES_HEAD)
			return 0;
		if (!take_head(f))
			return -1;
	}
	*ret = span_cut(bytes, (size_t)MIN((uint64_t)bytes->len, f->left));
	f->left -= ret->len;
	return ret->len > 0;
}
