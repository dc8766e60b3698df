/* SPDX-License-Identifier: MIT */
/* In place of the C library's vfprintf(), which is behind its whole family; see format.h. */
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>

#include "format.h"

struct file_sink {
	struct format_sink sink;
	FILE *file;
};

static void put(struct format_sink *sink, const char *bytes, size_t len)
{
	struct file_sink *s = container_of(sink, struct file_sink, sink);

	/* What a full disk does to a help text is nobody's business. */
	if (fwrite(bytes, 1, len, s->file) < len)
		return;
}

int vfprintf(FILE *restrict file, const char *restrict fmt, va_list args)
{
	struct file_sink s = { { put }, file };
	size_t len = format_text(&s.sink, fmt, args);

	return len > INT_MAX ? -1 : (int)len;
}
