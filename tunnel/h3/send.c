/* SPDX-License-Identifier: MIT */
/* Send buffers made of chunks; see send.h. */
#include "tunnel/h3/send.h"

#include <assert.h>
#include <stdlib.h>

#include "init/base/alloc.h"

struct h3_chunk {
	struct h3_chunk *next;
	size_t size;
	size_t head; /* first byte that was not acknowledged */
	size_t tail;
	uint8_t bytes[];
};

/* Not zeroed: a chunk is written before it is read. */
static struct h3_chunk *chunk_new(struct h3_pool *pool, size_t size)
{
	struct h3_chunk *chunk;

	if (size == H3_CHUNK_LARGE && pool->free) {
		chunk = pool->free;
		pool->free = chunk->next;
		pool->count--;
	} else {
		chunk = alloc_grow(NULL, 1, sizeof(*chunk) + size);
	}
	chunk->next = NULL;
	chunk->size = size;
	chunk->head = chunk->tail = 0;
	return chunk;
}

static void chunk_free(struct h3_pool *pool, struct h3_chunk *chunk)
{
	if (chunk->size != H3_CHUNK_LARGE || pool->count >= H3_POOL_MAX) {
		free(chunk);
		return;
	}
	chunk->next = pool->free;
	pool->free = chunk;
	pool->count++;
}

void h3_pool_finish(struct h3_pool *pool)
{
	struct h3_chunk *next;

	for (struct h3_chunk *chunk = pool->free; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	*pool = (struct h3_pool){ 0 };
}

void h3_send_init(struct h3_send *send, struct h3_pool *pool)
{
	*send = (struct h3_send){ .pool = pool };
}

void h3_send_finish(struct h3_send *send)
{
	struct h3_chunk *next;

	for (struct h3_chunk *chunk = send->first; chunk; chunk = next) {
		next = chunk->next;
		chunk_free(send->pool, chunk);
	}
	h3_send_init(send, send->pool);
}

/* Of the chunk after this one. */
static size_t next_size(const struct h3_chunk *last, size_t want)
{
	if (!last && want <= H3_CHUNK_TINY)
		return H3_CHUNK_TINY;
	if (want <= H3_CHUNK_SMALL && (!last || last->size == H3_CHUNK_TINY))
		return H3_CHUNK_SMALL;
	return H3_CHUNK_LARGE;
}

uint8_t *h3_send_reserve(struct h3_send *send, size_t want, size_t *ret_len)
{
	struct h3_chunk *chunk = send->last;

	assert(want > 0);
	if (!chunk || chunk->tail == chunk->size) {
		chunk = chunk_new(send->pool, next_size(chunk, want));
		if (send->last)
			send->last->next = chunk;
		else
			send->first = chunk;
		send->last = chunk;
	}
	*ret_len = MIN(want, chunk->size - chunk->tail);
	return chunk->bytes + chunk->tail;
}

void h3_send_commit(struct h3_send *send, size_t len)
{
	struct h3_chunk *chunk = send->last;

	if (len == 0)
		return;
	assert(chunk && len <= chunk->size - chunk->tail);
	if (send->waiting == 0) {
		send->lending = chunk;
		send->lending_at = chunk->tail;
	}
	chunk->tail += len;
	send->waiting += len;
}

void h3_send_append(struct h3_send *send, struct span bytes)
{
	while (bytes.len > 0) {
		size_t len;
		uint8_t *at = h3_send_reserve(send, bytes.len, &len);

		memcpy(at, span_cut(&bytes, len).ptr, len);
		h3_send_commit(send, len);
	}
}

struct span h3_send_lend(struct h3_send *send)
{
	struct h3_chunk *chunk = send->lending;
	struct span piece;

	if (send->waiting == 0)
		return (struct span){ 0 };
	piece = span_of(chunk->bytes + send->lending_at, chunk->tail - send->lending_at);
	send->waiting -= piece.len;
	send->lent += piece.len;
	send->lending = send->waiting ? chunk->next : NULL;
	send->lending_at = 0;
	return piece;
}

void h3_send_rewind(struct h3_send *send)
{
	send->waiting += send->lent;
	send->lent = 0;
	send->lending = send->waiting ? send->first : NULL;
	send->lending_at = send->waiting ? send->first->head : 0;
}

void h3_send_acked(struct h3_send *send, size_t len)
{
	assert(len <= send->lent);
	send->lent -= len;
	while (len > 0) {
		struct h3_chunk *chunk = send->first;
		size_t part = MIN(len, chunk->tail - chunk->head);

		chunk->head += part;
		len -= part;
		if (chunk->head < chunk->tail)
			return;
		/* A quiet stream keeps no more than one that is not large. */
		if (chunk == send->last && chunk->size != H3_CHUNK_LARGE) {
			chunk->head = chunk->tail = 0;
			return;
		}
		send->first = chunk->next;
		if (!send->first)
			send->last = NULL;
		chunk_free(send->pool, chunk);
	}
}
