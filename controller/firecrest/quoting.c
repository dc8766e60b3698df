/* SPDX-License-Identifier: MIT */
/* Paths with single quotes; see quoting.h. */
#include "quoting.h"

#include <string.h>

#include "init/base/alloc.h"

enum quoting quoting_learn(int status)
{
	if (status == 200)
		return QUOTING_PLAIN;
	return status == 404 ? QUOTING_PROPER : QUOTING_UNKNOWN;
}

char *quoting_write(enum quoting quoting, const char *path)
{
	static const char written[] = "'\\''";
	char *out, *end;

	if (quoting != QUOTING_PLAIN || !strchr(path, '\''))
		return NULL;
	out = end = alloc_zero(strlen(path) + 1, strlen(written));
	for (; *path; path++) {
		if (*path == '\'')
			end = mempcpy(end, written, strlen(written));
		else
			*end++ = *path;
	}
	*end = '\0';
	return out;
}
