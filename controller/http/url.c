/* SPDX-License-Identifier: MIT */
/* Addresses and forms; see url.h. */
#include "url.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "init/base/alloc.h"
#include "init/base/text.h"

#define HTTPS "https://"
#define HTTP "http://"

bool url_add_field(struct buf *form, const char *name, const char *value)
{
	return (buf_len(form) == 0 || buf_append_u8(form, '&')) &&
	       text_append_percent(form, name) && buf_append_u8(form, '=') &&
	       text_append_percent(form, value);
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One character, of one or three bytes; false when there is none. */
static bool decode(struct span *from, char *ret)
{
	uint8_t first = span_cut(from, 1).ptr[0];
	struct span digits;

	*ret = first == '+' ? ' ' : (char)first;
	if (first != '%')
		return first != '\0';
	if (from->len < 2)
		return false;
	digits = span_cut(from, 2);
	if (hex_digit(digits.ptr[0]) < 0 || hex_digit(digits.ptr[1]) < 0)
		return false;
	*ret = (char)(hex_digit(digits.ptr[0]) << 4 | hex_digit(digits.ptr[1]));
	return *ret != '\0';
}

static bool decode_all(struct span from, char *ret, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (from.len == 0) {
			ret[i] = '\0';
			return true;
		}
		if (!decode(&from, &ret[i]))
			return false;
	}
	return false;
}

/* Up to the separator, which leaves *from too. */
static struct span cut_at(struct span *from, char separator)
{
	const uint8_t *at = from->len ? memchr(from->ptr, separator, from->len) : NULL;
	struct span head = span_cut(from, at ? (size_t)(at - from->ptr) : from->len);

	if (at)
		span_cut(from, 1);
	return head;
}

bool url_field(struct span form, const char *name, char *ret, size_t size)
{
	while (form.len > 0) {
		struct span value = cut_at(&form, '&');
		struct span key = cut_at(&value, '=');

		if (span_equal_str(key, name))
			return decode_all(value, ret, size);
	}
	return false;
}

bool url_is_visible(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] <= 0x20 || text.ptr[i] >= 0x7f)
			return false;
	}
	return text.len > 0;
}

static bool is_here(const char *host)
{
	static const char *const names[] = { "127.0.0.1", "localhost", "[::1]" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		size_t len = strlen(names[i]);

		if (strncasecmp(host, names[i], len) == 0 && strchr(":/?", host[len]))
			return true;
	}
	return false;
}

static const char *host_of(const char *url)
{
	if (strncasecmp(url, HTTPS, strlen(HTTPS)) == 0)
		return url + strlen(HTTPS);
	return strncasecmp(url, HTTP, strlen(HTTP)) == 0 ? url + strlen(HTTP) : NULL;
}

bool url_is_safe(const char *url)
{
	const char *host = host_of(url);
	size_t len = strlen(url);

	for (const char *p = url; *p; p++) {
		if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f || *p == '\\' ||
		    *p == '#')
			return false;
	}
	return host && len <= URL_MAX && !strchr("/:?@", *host) &&
	       !memchr(host, '@', strcspn(host, "/?")) &&
	       (strncasecmp(url, HTTPS, strlen(HTTPS)) == 0 || is_here(host));
}

void url_split(const char *url, char **ret_server, char **ret_path)
{
	const char *host = host_of(url), *path;

	assert(host);
	path = host + strcspn(host, "/?");
	*ret_server = str_dup_len(url, (size_t)(path - url));
	*ret_path = str_printf("%s%s", *path == '/' ? "" : "/", path);
}
