/* SPDX-License-Identifier: MIT */
/* What is to be forwarded; see forward_spec.h. */
#include "forward_spec.h"

#include <stdio.h>
#include <string.h>

#include "init/base/span.h"
#include "init/base/text.h"

#define PARTS_MAX 4

/* The text between colons; those inside brackets do not count. Returns how many, or -1. */
static int split(const char *text, struct span parts[PARTS_MAX])
{
	const char *begin = text;
	bool bracket = false;
	int len = 0;

	for (const char *at = text;; at++) {
		if (*at == '[')
			bracket = true;
		else if (*at == ']')
			bracket = false;
		if (*at && (*at != ':' || bracket))
			continue;
		if (len == PARTS_MAX)
			return -1;
		parts[len++] = span_of(begin, (size_t)(at - begin));
		if (!*at)
			return bracket ? -1 : len;
		begin = at + 1;
	}
}

static bool is_path(struct span part)
{
	return part.len > 0 && (part.ptr[0] == '/' || part.ptr[0] == '.');
}

static bool copy(struct span part, char *out, size_t max)
{
	if (part.len == 0 || part.len > max)
		return false;
	memcpy(out, part.ptr, part.len);
	out[part.len] = '\0';
	return true;
}

static bool set_host(struct span part, struct forward_end *end)
{
	if (part.len > 2 && part.ptr[0] == '[' && part.ptr[part.len - 1] == ']')
		part = span_of(part.ptr + 1, part.len - 2);
	return copy(part, end->host, FORWARD_HOST_MAX) && !strpbrk(end->host, "[]/ ");
}

/* Empty is port 0. */
static bool set_port(struct span part, struct forward_end *end)
{
	char text[8] = "0";
	uint64_t port;

	if ((part.len > 0 && !copy(part, text, sizeof(text) - 1)) ||
	    !text_parse_uint(text, UINT16_MAX, &port))
		return false;
	end->port = (uint16_t)port;
	return true;
}

/* "PATH", "PORT" or "HOST:PORT". */
static bool set_end(const struct span *parts, int len, struct forward_end *end)
{
	if (len == 1 && is_path(parts[0]))
		return copy(parts[0], end->path, FORWARD_PATH_MAX);
	if (len == 2 && !set_host(parts[0], end))
		return false;
	return set_port(parts[len - 1], end);
}

static bool is_number(struct span part)
{
	for (size_t i = 0; i < part.len; i++) {
		if (part.ptr[i] < '0' || part.ptr[i] > '9')
			return false;
	}
	return true;
}

/* How many of the parts are the local end: two if it begins with an address. */
static int local_parts(const struct span *parts, int len)
{
	if (len == 4)
		return 2;
	if (len == 3)
		return is_path(parts[2]) || (!is_number(parts[0]) && !is_path(parts[0])) ? 2 : 1;
	return 1;
}

int forward_spec_parse(const char *text, struct forward_spec *ret, struct err *err)
{
	struct forward_spec spec = { 0 };
	struct span parts[PARTS_MAX];
	int len = split(text, parts), local;
	bool ok;

	if (len == 1) {
		ok = !is_path(parts[0]) && set_port(parts[0], &spec.remote);
		spec.local.port = spec.remote.port;
	} else {
		local = len > 0 ? local_parts(parts, len) : 0;
		ok = len > 0 && set_end(parts, local, &spec.local) &&
		     set_end(parts + local, len - local, &spec.remote);
	}
	if (!ok || (spec.remote.port == 0 && !spec.remote.path[0]))
		return err_set(
			err, ERR_INVALID,
			"'%.80s' is not [[ADDRESS:]LOCAL:][HOST:]REMOTE, with ports or paths "
			"of Unix sockets",
			text);
	*ret = spec;
	return 0;
}

void forward_end_format(const struct forward_end *end, char out[FORWARD_TEXT_MAX])
{
	bool brackets = strchr(end->host, ':') != NULL;

	if (end->path[0])
		snprintf(out, FORWARD_TEXT_MAX, "%s", end->path);
	else if (end->host[0])
		snprintf(out, FORWARD_TEXT_MAX, "%s%s%s:%u", brackets ? "[" : "", end->host,
			 brackets ? "]" : "", end->port);
	else
		snprintf(out, FORWARD_TEXT_MAX, "%u", end->port);
}
