/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Allocation cannot fail: out of memory ends the process in alloc.c and nowhere else. Two
 * companions make this sound. A size that a peer chooses meets a limit before it reaches these
 * functions (see buf.h), and berth-init allocates before its first fork and never after.
 */

#include "macro.h"

/* Zeroed memory; free() it. */
void *alloc_zero(size_t count, size_t size) attr_must_use attr_malloc;

/* realloc(3) of an array, with an overflow check; new members are not zeroed. */
void *alloc_grow(void *old, size_t count, size_t size) attr_must_use;

char *str_dup(const char *s) attr_must_use attr_malloc;
char *str_dup_len(const char *s, size_t len) attr_must_use attr_malloc;

/* asprintf(3) that returns the string. */
char *str_printf(const char *fmt, ...) attr_printf(1, 2) attr_must_use attr_malloc;

#define new_zero(type) ((type *)alloc_zero(1, sizeof(type)))
#define new_array(type, count) ((type *)alloc_zero((count), sizeof(type)))
