/* SPDX-License-Identifier: MIT */
/* Which HTTP proxy leads to a host; see proxy.h. */
#include "proxy.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "init/base/macro.h"
#include "init/base/span.h"
#include "init/base/text.h"

#define PORT_DEFAULT 1080 /* curl's */

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decoded (RFC 3986 section 2.1), as a string; no control characters. */
static bool decode(struct span in, char *out, size_t size)
{
	size_t len = 0;

	while (in.len > 0) {
		uint8_t c = span_cut(&in, 1).ptr[0];

		if (c == '%') {
			int high = in.len >= 2 ? hex_digit(in.ptr[0]) : -1;
			int low = in.len >= 2 ? hex_digit(in.ptr[1]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = (uint8_t)(high << 4 | low);
			span_cut(&in, 2);
		}
		if (c < ' ' || c == 0x7f || len + 1 >= size)
			return false;
		out[len++] = (char)c;
	}
	out[len] = '\0';
	return true;
}

static bool is_host_char(uint8_t c, bool is_v6)
{
	if (is_v6)
		return hex_digit(c) >= 0 || c == ':' || c == '.';
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '.' ||
	       c == '-' || c == '_';
}

static bool read_host(struct span s, bool is_v6, char out[PROXY_HOST_MAX])
{
	if (s.len == 0 || s.len >= PROXY_HOST_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!is_host_char(s.ptr[i], is_v6))
			return false;
	}
	snprintf(out, PROXY_HOST_MAX, "%.*s", (int)s.len, (const char *)s.ptr);
	return true;
}

static bool read_port(struct span s, uint16_t *ret)
{
	char text[8];
	uint64_t port;

	if (s.len == 0) {
		*ret = PORT_DEFAULT;
		return true;
	}
	if (s.ptr[0] != ':' || s.len >= sizeof(text))
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)s.len - 1, (const char *)s.ptr + 1);
	if (!text_parse_uint(text, UINT16_MAX, &port) || port == 0)
		return false;
	*ret = (uint16_t)port;
	return true;
}

/* "host", "host:port", "[v6]:port" */
static bool read_authority(struct span s, struct proxy *ret)
{
	bool is_v6 = s.len > 0 && s.ptr[0] == '[';
	const uint8_t *end;
	struct span host;

	if (is_v6)
		span_cut(&s, 1);
	end = s.len ? memchr(s.ptr, is_v6 ? ']' : ':', s.len) : NULL;
	if (is_v6 && !end)
		return false;
	host = span_cut(&s, end ? (size_t)(end - s.ptr) : s.len);
	if (is_v6)
		span_cut(&s, 1);
	return read_host(host, is_v6, ret->host) && read_port(s, &ret->port);
}

static bool read_credentials(struct span s, struct proxy *ret)
{
	const uint8_t *colon = s.len ? memchr(s.ptr, ':', s.len) : NULL;
	struct span user = colon ? span_cut(&s, (size_t)(colon - s.ptr)) : s;
	size_t len;

	/* The colon ends the name (RFC 7617 section 2), so that none may be in it. */
	if (!decode(user, ret->credentials, sizeof(ret->credentials) - 1) ||
	    strchr(ret->credentials, ':'))
		return false;
	len = strlen(ret->credentials);
	ret->credentials[len++] = ':';
	ret->credentials[len] = '\0';
	if (!colon)
		return true;
	span_cut(&s, 1);
	return decode(s, ret->credentials + len, sizeof(ret->credentials) - len);
}

int proxy_parse(const char *text, struct proxy *ret, struct err *err)
{
	static const char http[] = "http://";
	struct proxy proxy = { 0 };
	struct span s = span_of_str(text);
	const char *scheme = strstr(text, "://");
	const uint8_t *at;

	if (strncasecmp(text, http, strlen(http)) == 0)
		span_cut(&s, strlen(http));
	else if (scheme)
		return err_set(err, ERR_UNSUPPORTED,
			       "only http:// proxies can be used: name one as "
			       "http://HOST:PORT, or except the host with no_proxy");
	at = s.len ? memchr(s.ptr, '/', s.len) : NULL;
	if (at)
		s.len = (size_t)(at - s.ptr);
	at = s.len ? memrchr(s.ptr, '@', s.len) : NULL;
	if (at && !read_credentials(span_cut(&s, (size_t)(at - s.ptr)), &proxy))
		return err_set(err, ERR_INVALID,
			       "the user or password of the proxy is malformed: it has to be "
			       "http://USER:PASSWORD@HOST:PORT, and other characters than "
			       "letters and digits as %%XX");
	if (at)
		span_cut(&s, 1);
	if (!read_authority(s, &proxy))
		return err_set(err, ERR_INVALID,
			       "the address of the proxy is malformed: it has to be "
			       "http://HOST:PORT");
	*ret = proxy;
	return 0;
}

/* no_proxy */

struct address {
	int family;
	uint8_t bytes[16];
};

static bool read_address(const char *text, struct address *ret)
{
	struct address address = { 0 };

	address.family = AF_INET;
	if (inet_pton(AF_INET, text, address.bytes) != 1) {
		address.family = AF_INET6;
		if (inet_pton(AF_INET6, text, address.bytes) != 1)
			return false;
	}
	*ret = address;
	return true;
}

static bool shares_bits(const struct address *a, const struct address *b, size_t bits)
{
	size_t whole = bits / 8, rest = bits % 8;

	if (a->family != b->family || memcmp(a->bytes, b->bytes, whole) != 0)
		return false;
	return rest == 0 || (a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest) == 0;
}

/* A member that names an address or a network; the text is ours to cut. */
static bool covers_address(char *member, const struct address *host)
{
	char *slash = strchr(member, '/');
	struct address network;
	uint64_t bits;
	size_t len = strlen(member);

	if (slash)
		*slash = '\0';
	if (!slash && member[0] == '[' && member[len - 1] == ']') {
		member[len - 1] = '\0';
		member++;
	}
	if (!read_address(member, &network))
		return false;
	bits = network.family == AF_INET ? 32 : 128;
	if (slash && !text_parse_uint(slash + 1, bits, &bits))
		return false;
	return shares_bits(&network, host, (size_t)bits);
}

/* Whether host is this name or below it; dots at either end of it do not count. */
static bool covers_name(const char *member, const char *host)
{
	size_t len = strlen(member), host_len = strlen(host);

	if (len > 0 && member[0] == '.') {
		member++;
		len--;
	}
	if (len > 0 && member[len - 1] == '.')
		len--;
	if (host_len > 0 && host[host_len - 1] == '.')
		host_len--;
	if (len == 0 || len > host_len || strncasecmp(host + host_len - len, member, len) != 0)
		return false;
	return len == host_len || host[host_len - len - 1] == '.';
}

static bool covers(struct span member, const char *host)
{
	char text[PROXY_HOST_MAX];
	struct address address;

	if (member.len == 0 || member.len >= sizeof(text))
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)member.len, (const char *)member.ptr);
	if (text[0] == '*' && text[1] == '\0')
		return true;
	if (read_address(host, &address))
		return covers_address(text, &address);
	return covers_name(text, host);
}

bool proxy_is_excepted(const char *no_proxy, const char *host)
{
	struct span rest = span_of_str(no_proxy);

	while (rest.len > 0) {
		size_t len = strcspn((const char *)rest.ptr, ", \t");

		if (covers(span_cut(&rest, len), host))
			return true;
		if (rest.len > 0)
			span_cut(&rest, 1);
	}
	return false;
}

/* The first of the variables that is set, and to something. */
static const char *first_of(const char *const *names, size_t count, const char **ret_name)
{
	for (size_t i = 0; i < count; i++) {
		const char *value = getenv(names[i]);

		if (value && value[0]) {
			*ret_name = names[i];
			return value;
		}
	}
	return NULL;
}

int proxy_from_environment(const char *host, struct proxy *ret, struct err *err)
{
	static const char *const proxies[] = { "https_proxy", "HTTPS_PROXY", "all_proxy",
					       "ALL_PROXY" };
	static const char *const exceptions[] = { "no_proxy", "NO_PROXY" };
	const char *name = "", *unused;
	const char *text = first_of(proxies, ARRAY_LEN(proxies), &name);
	const char *except = first_of(exceptions, ARRAY_LEN(exceptions), &unused);

	*ret = (struct proxy){ 0 };
	if (!text || (except && proxy_is_excepted(except, host)))
		return 0;
	if (proxy_parse(text, ret, err) < 0)
		return err_wrap(err, "%s", name);
	snprintf(ret->variable, sizeof(ret->variable), "%s", name);
	return 0;
}
