/* SPDX-License-Identifier: MIT */
/* Bounded byte buffer; see buf.h. */
#include "buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"

#define BUF_SIZE_FIRST 256

void buf_init(struct buf *b, size_t max)
{
	*b = BUF_INIT(max);
}

void buf_finish(struct buf *b)
{
	free(b->mem);
	*b = BUF_INIT(b->max);
}

void buf_wipe(struct buf *b)
{
	if (b->mem)
		explicit_bzero(b->mem, b->size);
	buf_finish(b);
}

/* Makes room for len bytes after the tail, whatever the maximum says. */
static void make_room(struct buf *b, size_t len)
{
	size_t used = buf_len(b), size = b->size;

	if (b->size - b->tail >= len)
		return;
	/* Moving is cheaper than growing only while at least half of the memory is free at the
	 * head. */
	if (b->size - used >= len && b->head >= b->size / 2) {
		memmove(b->mem, b->mem + b->head, used);
		b->head = 0;
		b->tail = used;
		return;
	}
	if (size < BUF_SIZE_FIRST)
		size = BUF_SIZE_FIRST;
	while (size < used + len)
		size *= 2;
	if (b->head > 0) {
		uint8_t *mem = alloc_zero(size, 1);

		memcpy(mem, b->mem + b->head, used);
		free(b->mem);
		b->mem = mem;
		b->head = 0;
		b->tail = used;
	} else {
		b->mem = alloc_grow(b->mem, size, 1);
	}
	b->size = size;
}

uint8_t *buf_reserve(struct buf *b, size_t len)
{
	if (len > buf_room(b))
		return NULL;
	make_room(b, len);
	return b->mem + b->tail;
}

void buf_commit(struct buf *b, size_t len)
{
	assert(len <= b->size - b->tail);
	b->tail += len;
}

bool buf_append(struct buf *b, const void *bytes, size_t len)
{
	uint8_t *at;

	if (len == 0)
		return true;
	at = buf_reserve(b, len);
	if (!at)
		return false;
	memcpy(at, bytes, len);
	b->tail += len;
	return true;
}

bool buf_append_span(struct buf *b, struct span s)
{
	return buf_append(b, s.ptr, s.len);
}

bool buf_append_u8(struct buf *b, uint8_t v)
{
	return buf_append(b, &v, 1);
}

bool buf_append_u32(struct buf *b, uint32_t v)
{
	uint8_t bytes[4] = { (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8),
			     (uint8_t)v };

	return buf_append(b, bytes, sizeof(bytes));
}

bool buf_append_u64(struct buf *b, uint64_t v)
{
	uint8_t bytes[8];

	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(v >> (56 - 8 * i));
	return buf_append(b, bytes, sizeof(bytes));
}

bool buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	if (len < 0 || (size_t)len > buf_room(b))
		return false;
	make_room(b, (size_t)len + 1);
	va_start(args, fmt);
	vsnprintf((char *)b->mem + b->tail, (size_t)len + 1, fmt, args);
	va_end(args);
	b->tail += (size_t)len;
	return true;
}

void buf_consume(struct buf *b, size_t len)
{
	assert(len <= buf_len(b));
	b->head += len;
	if (b->head == b->tail)
		b->head = b->tail = 0;
}

void buf_truncate(struct buf *b, size_t len)
{
	assert(len <= buf_len(b));
	b->tail = b->head + len;
}

void buf_clear(struct buf *b)
{
	b->head = b->tail = 0;
}

const char *buf_str(struct buf *b)
{
	make_room(b, 1);
	b->mem[b->tail] = '\0';
	return (const char *)b->mem + b->head;
}

char *buf_take_str(struct buf *b)
{
	char *s = str_dup_len(buf_str(b), buf_len(b));

	buf_finish(b);
	return s;
}
