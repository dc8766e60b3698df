/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Numbers, durations and binary data as text. Parsers accept the whole string or nothing and write
 * their output only on success.
 */

#include <stdbool.h>

#include "buf.h"
#include "macro.h"

/* Decimal, no sign, no spaces, at most max. */
bool text_parse_uint(const char *s, uint64_t max, uint64_t *ret) attr_must_use;

/* "90", "90s", "5m", "2h", "1d", "500ms", "1h30m"; a bare number is seconds. */
bool text_parse_duration(const char *s, uint64_t *ret_ns) attr_must_use;

/* "4096", "4K", "16M", "2G", "1T", with an optional "B" or "iB"; powers of 1024. */
bool text_parse_size(const char *s, uint64_t *ret_bytes) attr_must_use;

/* Its decimal digits; returns how many. A list of jobs has ten thousand of them. */
#define TEXT_UINT_SIZE 21
size_t text_format_uint(uint64_t n, char out[TEXT_UINT_SIZE]);

/* "42s", "3m10s", "5h02m", "3d04h": the two largest units. */
void text_format_duration(uint64_t ns, char *out, size_t size);

/* Base64 of RFC 4648 section 4, padded. */
#define TEXT_BASE64_SIZE(len) (((len) + 2) / 3 * 4 + 1)
void text_base64(struct span in, char *out, size_t size);
/* Decodes exactly len bytes; false for any other length, a foreign character or wrong padding. */
bool text_parse_base64(const char *s, uint8_t *ret, size_t len) attr_must_use;

/* Lower-case hexadecimal; size must be at least 2 * in.len + 1. */
void text_hex(struct span in, char *out, size_t size);

/* How many bytes of it, from the start, are whole characters of UTF-8 (RFC 3629). */
size_t text_utf8_len(struct span text);

/* Appends s as the inside of a JSON string (RFC 8259 section 7), without the quotes. Bytes that are
   not UTF-8 become U+FFFD. */
bool text_append_json(struct buf *b, const char *s) attr_must_use;

/* Appends s as one segment of a path: all but unreserved characters escaped (RFC 3986). */
bool text_append_percent(struct buf *b, const char *s) attr_must_use;

/*
 * Puts '?' in the place of all that could act on a terminal: what somebody else sent must not, when
 * it is shown. Text in UTF-8 stays.
 */
void text_make_printable(char *s);

/* Appends s so that a POSIX shell reads it back as one word. */
bool text_append_shell(struct buf *b, const char *s) attr_must_use;

/*
 * Levenshtein distance: how many letters have to be put in, left out or changed to make one word of
 * the other; words longer than 31 are far from everything. Up to TEXT_CLOSE it may be a slip of the
 * finger.
 */
#define TEXT_CLOSE 2
unsigned int text_distance(const char *a, const char *b);
