/* SPDX-License-Identifier: MIT */
/* The head of an answer; see head.h. */
#include "head.h"

#include <stdio.h>
#include <strings.h>

#include "init/base/text.h"

#define VERSION "HTTP/1."
#define LENGTH "content-length"

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* "HTTP/1.1 101 Switching Protocols" */
static bool parse_status(struct span line, int *ret)
{
	const uint8_t *p = line.ptr;

	if (line.len < 12 || memcmp(p, VERSION, strlen(VERSION)) != 0 || p[8] != ' ' ||
	    !is_digit(p[9]) || !is_digit(p[10]) || !is_digit(p[11]) ||
	    (line.len > 12 && p[12] != ' '))
		return false;
	*ret = (p[9] - '0') * 100 + (p[10] - '0') * 10 + (p[11] - '0');
	return *ret >= 100;
}

/* Whether the line is the field of this name; it is cut down to its value then. */
static bool is_field(struct span *line, const char *name)
{
	size_t len = strlen(name);

	if (line->len <= len || line->ptr[len] != ':' ||
	    strncasecmp((const char *)line->ptr, name, len) != 0)
		return false;
	span_cut(line, len + 1);
	while (line->len > 0 && line->ptr[0] == ' ')
		span_cut(line, 1);
	while (line->len > 0 && line->ptr[line->len - 1] == ' ')
		line->len--;
	return true;
}

static bool parse_field(struct span line, struct http_head *head)
{
	char digits[24];

	if (!is_field(&line, LENGTH))
		return line.len > 0 && memchr(line.ptr, ':', line.len) != NULL;
	if (line.len >= sizeof(digits))
		return false;
	snprintf(digits, sizeof(digits), "%.*s", (int)line.len, (const char *)line.ptr);
	head->has_length = true;
	return text_parse_uint(digits, UINT64_MAX, &head->length);
}

/* The next line, without its end; false when there is none. */
static bool cut_line(struct span *text, struct span *ret)
{
	const uint8_t *end = text->len ? memchr(text->ptr, '\n', text->len) : NULL;

	if (!end || end == text->ptr || end[-1] != '\r')
		return false;
	*ret = span_cut(text, (size_t)(end - text->ptr) + 1);
	ret->len -= 2;
	return true;
}

struct span http_head_field(struct span text, const char *name)
{
	struct span line;

	while (cut_line(&text, &line)) {
		if (is_field(&line, name))
			return line;
	}
	return (struct span){ 0 };
}

bool http_head_parse(struct span text, struct http_head *ret)
{
	struct http_head head = { 0 };

	for (bool is_first = true;; is_first = false) {
		struct span line;

		if (!cut_line(&text, &line))
			return false;
		if (is_first ? !parse_status(line, &head.status)
			     : line.len > 0 && !parse_field(line, &head))
			return false;
		if (!is_first && line.len == 0)
			break;
	}
	if (text.len > 0)
		return false;
	*ret = head;
	return true;
}
