/* SPDX-License-Identifier: MIT */
/*
 * In place of the C library's allocator. All that is ever allocated are the few strings of the
 * plan, before the first fork, and the name of a temporary file in a child that ends right after: a
 * piece of memory that is only cut from is enough, and is a tenth of the code. Pages of it that are
 * not reached are no memory.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "init/base/macro.h"

/* A plan has five paths; each is shorter than PATH_MAX (4096). */
#define ARENA_SIZE (64UL * 1024)
#define ALIGNMENT 16UL

/* What precedes each block. */
struct header {
	_Alignas(ALIGNMENT) size_t size;
};

static _Alignas(ALIGNMENT) unsigned char arena[ARENA_SIZE];
static size_t used;

static struct header *header_of(void *block)
{
	return (struct header *)block - 1;
}

void *malloc(size_t size)
{
	size_t room = ARENA_SIZE - used;
	struct header *header = (struct header *)(void *)(arena + used);

	if (room < sizeof(*header) || size > room - sizeof(*header) - (ALIGNMENT - 1)) {
		errno = ENOMEM;
		return NULL;
	}
	header->size = size;
	used += sizeof(*header) + (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
	return header + 1;
}

/* Memory is never used again, so that all of it is zero still. */
void *calloc(size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return malloc(bytes);
}

void *realloc(void *block, size_t size)
{
	void *larger = malloc(size);

	if (block && larger)
		memcpy(larger, block, MIN(header_of(block)->size, size));
	return larger;
}

void free(void *block)
{
	(void)block;
}
