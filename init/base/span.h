/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A borrowed run of bytes. It owns nothing; whoever passes one keeps the bytes alive for the call.
 */

#include <stdbool.h>
#include <string.h>

#include "macro.h"

struct span {
	const uint8_t *ptr;
	size_t len;
};

static inline struct span span_of(const void *ptr, size_t len)
{
	return (struct span){ .ptr = ptr, .len = len };
}

static inline struct span span_of_str(const char *s)
{
	return (struct span){ .ptr = (const uint8_t *)s, .len = strlen(s) };
}

static inline bool span_equal(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool span_equal_str(struct span a, const char *s)
{
	return span_equal(a, span_of_str(s));
}

/* The first len bytes, which leave *from; len must not exceed from->len. */
static inline struct span span_cut(struct span *from, size_t len)
{
	struct span head = { .ptr = from->ptr, .len = len };

	from->ptr = len ? from->ptr + len : from->ptr;
	from->len -= len;
	return head;
}
