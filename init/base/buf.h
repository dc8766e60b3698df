/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A growing byte buffer with a maximum that is given where it is made, so that nothing a peer sends
 * can grow without a limit. Bytes are appended at the tail and consumed from the head; consuming is
 * cheap, the bytes move only when room at the tail is needed. All-zero is a valid empty buffer that
 * may hold nothing (max 0).
 *
 *	cleanup(buf_finish) struct buf b = BUF_INIT(64 * 1024);
 *
 *	if (!buf_append(&b, bytes, len))
 *		return err_set(err, ERR_LIMIT, "reply is larger than 64 KiB");
 */

#include <stdbool.h>

#include "cleanup.h"
#include "span.h"

struct buf {
	uint8_t *mem;
	size_t head; /* first byte in use */
	size_t tail; /* one past the last byte in use */
	size_t size; /* allocated */
	size_t max;  /* most bytes that may be in use */
};

#define BUF_INIT(max_len) ((struct buf){ .max = (max_len) })

void buf_init(struct buf *b, size_t max);
void buf_finish(struct buf *b); /* frees; the buffer is empty afterwards and keeps its max */
DEFINE_CLEANUP_VALUE(struct buf, buf_finish)

/* Overwrites the memory before it is freed: for buffers that held a secret. */
void buf_wipe(struct buf *b);
DEFINE_CLEANUP_VALUE(struct buf, buf_wipe)

static inline size_t buf_len(const struct buf *b)
{
	return b->tail - b->head;
}

static inline struct span buf_span(const struct buf *b)
{
	return (struct span){ .ptr = b->mem ? b->mem + b->head : NULL, .len = b->tail - b->head };
}

static inline size_t buf_room(const struct buf *b)
{
	return b->max - buf_len(b);
}

/* False, and the buffer unchanged, when len more bytes would exceed the maximum. */
bool buf_append(struct buf *b, const void *bytes, size_t len) attr_must_use;
bool buf_append_span(struct buf *b, struct span s) attr_must_use;
bool buf_append_u8(struct buf *b, uint8_t v) attr_must_use;
bool buf_append_u32(struct buf *b, uint32_t v) attr_must_use; /* big endian */
bool buf_append_u64(struct buf *b, uint64_t v) attr_must_use; /* big endian */
bool buf_printf(struct buf *b, const char *fmt, ...) attr_printf(2, 3) attr_must_use;

/*
 * Room for len bytes at the tail, to be filled by the caller (read(2), an encoder) and then claimed
 * with buf_commit(). NULL when it would exceed the maximum.
 */
uint8_t *buf_reserve(struct buf *b, size_t len) attr_must_use;
void buf_commit(struct buf *b, size_t len);

void buf_consume(struct buf *b, size_t len);  /* drops bytes from the head; len <= buf_len() */
void buf_truncate(struct buf *b, size_t len); /* keeps the first len bytes */
void buf_clear(struct buf *b);

/* The bytes as a C string: appends a NUL that is not counted. The maximum does not apply to it. */
const char *buf_str(struct buf *b);

/* Hands the bytes over as a NUL-terminated string to free(); the buffer is empty afterwards. */
char *buf_take_str(struct buf *b) attr_must_use;
