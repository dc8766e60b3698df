/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The Capsule Protocol (RFC 9297 section 3.2), read incrementally. A capsule is Type (varint),
 * Length (varint), Value. Values of types that carry a byte stream (stdin, stdout) are passed on as
 * they arrive, whatever their length; others are collected whole, up to a limit, and refused beyond
 * it.
 *
 *	struct capsule_reader r;
 *
 *	capsule_reader_init(&r, &ops, user, 256 * 1024);
 *	if (capsule_reader_feed(&r, bytes, &err) < 0)
 *		...the stream is broken; nothing more may be fed
 *
 * The callbacks must not finish the reader: they are called from inside it. A callback that wants
 * the stream gone returns an error (whole) or remembers its wish until the feed is over (piece).
 */

#include <stdbool.h>

#include "init/base/buf.h"
#include "init/base/err.h"

struct capsule_ops {
	/* True: hand the value on in pieces through piece(); false: collect it and call whole(). */
	bool (*is_stream)(void *user, uint64_t type);
	void (*piece)(void *user, uint64_t type, struct span bytes);
	/*
	 * 0, or -1 with *err set, which capsule_reader_feed() returns. Unknown types are to be
	 * ignored.
	 */
	int (*whole)(void *user, uint64_t type, struct span value, struct err *err);
};

struct capsule_reader {
	const struct capsule_ops *ops;
	void *user;
	uint8_t head[16]; /* type and length, while they are incomplete */
	size_t head_len;
	bool in_value;
	bool streaming;
	uint64_t type, left;
	struct buf value;
};

void capsule_reader_init(struct capsule_reader *r, const struct capsule_ops *ops, void *user,
			 size_t value_max);
void capsule_reader_finish(struct capsule_reader *r);
/* 0, or -1: a value is too long, or whole() refused it. */
int capsule_reader_feed(struct capsule_reader *r, struct span bytes, struct err *err) attr_must_use;

/* Whether the stream may end here: not inside a capsule. */
bool capsule_reader_at_boundary(const struct capsule_reader *r);

/* Type and length of a capsule; returns how many bytes were written, at most CAPSULE_HEAD_MAX. */
#define CAPSULE_HEAD_MAX 16
size_t capsule_put_head(uint64_t type, uint64_t len, uint8_t *out);
bool capsule_append(struct buf *b, uint64_t type, struct span value) attr_must_use;
