/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * From a descriptor to a stream: bytes are read straight into the stream's send buffer. The other
 * direction is sink.h.
 */

#include <stdbool.h>

#include "tunnel/h3/conn.h"

enum splice_result {
	SPLICE_DONE,	/* bytes were read; there may be more */
	SPLICE_NOT_NOW, /* the descriptor has none: wait until it is readable */
	SPLICE_NO_ROOM, /* the stream has no room: wait until it is writable */
	SPLICE_END,
	SPLICE_FAILED, /* errno says why */
};

/*
 * One read of at most max bytes from fd into the stream: as they are (type 0), or as the value of
 * one capsule of the type. *ret_len is how many were read.
 */
enum splice_result splice_read(int fd, struct h3_stream *stream, uint64_t type, size_t max,
			       size_t *ret_len);

/*
 * A pipe starts with 64 KiB, few for bulk data. This asks for more, once (*done); the user's quota
 * of pipe memory, which the job shares, may be in the way, so that only pipes that were full ask.
 */
void splice_grow_pipe(int fd, bool *done);
