/* SPDX-License-Identifier: MIT */
#pragma once

/* Variable-length integers of RFC 9000 section 16: 1, 2, 4 or 8 bytes, at most 2^62 - 1. */

#include <stdbool.h>

#include "init/base/buf.h"

#define VARINT_MAX ((UINT64_C(1) << 62) - 1)
#define VARINT_LEN_MAX 8

/* Cuts one off the front of *s; false, and *s unchanged, when it is not all there. */
bool varint_read(struct span *s, uint64_t *ret) attr_must_use;

size_t varint_len(uint64_t v);                     /* bytes that the shortest form takes */
size_t varint_put(uint64_t v, uint8_t *out);       /* writes the shortest form; returns its length */
bool varint_append(struct buf *b, uint64_t v) attr_must_use;
