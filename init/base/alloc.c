/* SPDX-License-Identifier: MIT */
/* Allocation that ends the process when memory is out; see alloc.h. */
#include "alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *require(void *p)
{
	static const char text[] = "out of memory\n";

	if (p)
		return p;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(70);
	_exit(70);
}

void *alloc_zero(size_t count, size_t size)
{
	return require(calloc(count ? count : 1, size ? size : 1));
}

void *alloc_grow(void *old, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		return require(NULL);
	return require(realloc(old, bytes ? bytes : 1));
}

char *str_dup(const char *s)
{
	return require(strdup(s));
}

char *str_dup_len(const char *s, size_t len)
{
	char *copy = alloc_zero(len + 1, 1);

	memcpy(copy, s, len);
	return copy;
}

char *str_printf(const char *fmt, ...)
{
	char *s = NULL;
	va_list args;

	va_start(args, fmt);
	if (vasprintf(&s, fmt, args) < 0)
		s = NULL;
	va_end(args);
	return require(s);
}
