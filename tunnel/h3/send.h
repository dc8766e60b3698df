/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The send buffer of a stream: bytes in order, in three parts,
 *
 *	| lent out, not yet acknowledged | waiting |  room
 *	head                             lent      tail
 *
 * in chunks that never move, because QUIC sends from where the bytes are and sends them again when
 * a packet is lost. The first chunks may be small, for the many streams that carry a few bytes; the
 * others are large, because whoever fills one reads from a pipe or a socket straight into it. Free
 * large chunks are kept in a pool of the connection.
 */

#include "init/base/span.h"

#define H3_CHUNK_TINY 512
#define H3_CHUNK_SMALL (4 * 1024)
#define H3_CHUNK_LARGE (64 * 1024)
#define H3_POOL_MAX 32 /* chunks */

struct h3_chunk;

struct h3_pool {
	struct h3_chunk *free;
	size_t count;
};

void h3_pool_finish(struct h3_pool *pool);

struct h3_send {
	struct h3_pool *pool;
	struct h3_chunk *first, *last;
	struct h3_chunk *lending; /* the chunk that the first waiting byte is in, or NULL */
	size_t lending_at;	  /* offset in it */
	size_t lent, waiting;
};

void h3_send_init(struct h3_send *send, struct h3_pool *pool);
void h3_send_finish(struct h3_send *send);

/* Appends a copy. */
void h3_send_append(struct h3_send *send, struct span bytes);

/*
 * Memory at the tail, at least 1 and at most want bytes (want > 0); claim it with h3_send_commit().
 */
uint8_t *h3_send_reserve(struct h3_send *send, size_t want, size_t *ret_len);
void h3_send_commit(struct h3_send *send, size_t len);

/*
 * The next waiting bytes that lie side by side; they count as lent afterwards. Empty when nothing
 * waits.
 */
struct span h3_send_lend(struct h3_send *send);

/* What was lent is waiting again: the connection that it was lent to is no more. */
void h3_send_rewind(struct h3_send *send);

/* The oldest len lent bytes were acknowledged. */
void h3_send_acked(struct h3_send *send, size_t len);
