/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The engine's multiplexed stream: what a container without a terminal writes to its standard
 * output and error, in frames of eight bytes of header (which of them, three zeros, the length in
 * big endian) and what was written. A frame may come in any number of pieces.
 *
 *	struct frames frames = { 0 };
 *
 *	while ((got = frames_next(&frames, &bytes, &piece)) > 0)
 *		if (frames.which == FRAMES_STDOUT)
 *			...	(piece)
 */

#include "init/base/span.h"

enum frames_which { FRAMES_STDIN, FRAMES_STDOUT, FRAMES_STDERR, FRAMES_ERROR };

#define FRAMES_HEAD 8

struct frames {
	enum frames_which which; /* of the piece that was given last */
	uint8_t head[FRAMES_HEAD];
	size_t head_len;
	uint64_t left; /* of the frame, to come */
};

/* 1: *ret borrows from *bytes, which it has left; 0: all was taken; -1: these are no frames. */
int frames_next(struct frames *f, struct span *bytes, struct span *ret);
