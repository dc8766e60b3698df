/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Bytes between a descriptor and a stream. From the descriptor they are read straight into the
 * stream's send buffer; to the descriptor they are written straight from the packet, and only what it
 * does not take now is kept.
 */

#include <stdbool.h>

#include "init/base/buf.h"
#include "tunnel/h3/conn.h"

/*
 * Most bytes that wait for a descriptor. The peer's credit (h3_stream_consumed()) ends long before:
 * who gets here ignores flow control.
 */
#define SPLICE_PENDING_MAX (64 * 1024 * 1024)

enum splice_result {
	SPLICE_DONE,	/* bytes were read; there may be more */
	SPLICE_NOT_NOW, /* the descriptor has none: wait until it is readable */
	SPLICE_NO_ROOM, /* the stream has no room: wait until it is writable */
	SPLICE_END,
	SPLICE_FAILED, /* errno says why */
};

/*
 * One read of at most max bytes from fd into the stream: as they are (type 0), or as the value of one
 * capsule of the type. *ret_len is how many were read.
 */
enum splice_result splice_read(int fd, struct h3_stream *stream, uint64_t type, size_t max,
			       size_t *ret_len);

/* What waits for a descriptor. */
struct splice_out {
	struct buf pending;
	size_t held; /* bytes of body that came and were not reported as consumed; the owner adds */
	uint8_t last; /* the last byte that was written on, or 0 */
};

void splice_out_init(struct splice_out *out);
void splice_out_finish(struct splice_out *out);

/*
 * Writes bytes behind what is pending and keeps the rest. False when the descriptor takes nothing any
 * more (errno says why) or when too much is pending (EMSGSIZE).
 */
bool splice_write(int fd, struct splice_out *out, struct span bytes) attr_must_use;

/* Reports as consumed whatever came and does not wait for the descriptor. stream may be NULL. */
void splice_credit(struct splice_out *out, struct h3_stream *stream);

/*
 * A pipe starts with 64 KiB, few for bulk data. This asks for more, once (*done); the user's quota of
 * pipe memory, which the job shares, may be in the way, so that only pipes that were full ask.
 */
void splice_grow_pipe(int fd, bool *done);
