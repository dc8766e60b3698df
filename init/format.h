/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * printf(3) as far as this program uses it: %d %i %u %x %c %s %%, with l, ll and z, width,
 * precision (of strings), "*", "-" and "0". The C library's own knows floating point too, which is
 * a sixth of the size of the whole program; on musl this one takes its place (format_musl.c).
 */

#include <stdarg.h>
#include <stddef.h>

#include "init/base/macro.h"

struct format_sink {
	void (*put)(struct format_sink *sink, const char *bytes, size_t len);
};

/* Returns how many bytes were put; whatever is not known is put as it stands. */
size_t format_text(struct format_sink *sink, const char *fmt, va_list args) attr_printf(2, 0);
