/* SPDX-License-Identifier: MIT */
#pragma once

/* Variable-length integers of RFC 9000 section 16: 1, 2, 4 or 8 bytes, at most 2^62 - 1. */

#include <stdbool.h>

#include "init/base/buf.h"

#define VARINT_MAX ((UINT64_C(1) << 62) - 1)
#define VARINT_LEN_MAX 8

/* Cuts one off the front of *s; false, and *s unchanged, when it is not all there. */
bool varint_read(struct span *s, uint64_t *ret) attr_must_use;

/* How many bytes the shortest form takes. */
size_t varint_len(uint64_t v);

/* Writes the shortest form; returns its length. */
size_t varint_put(uint64_t v, uint8_t *out);

/*
 * Writes a form of exactly len bytes (1, 2, 4 or 8; not too few for v), for a place that is kept
 * before the value is known. Receivers accept every form. Returns len.
 */
size_t varint_put_fixed(uint64_t v, size_t len, uint8_t *out);

bool varint_append(struct buf *b, uint64_t v) attr_must_use;
