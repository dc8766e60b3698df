/* SPDX-License-Identifier: MIT */
/* Where a CONNECT wants to go; see target.h. */
#include "target.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "init/base/text.h"

#define UNIX_PREFIX "/unix/"

static bool is_name(const char *s)
{
	static const char legal[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

	return s[0] && s[strspn(s, legal)] == '\0';
}

static bool parse_port(const char *s, uint16_t *ret)
{
	uint64_t port;

	if (!text_parse_uint(s, UINT16_MAX, &port) || port == 0)
		return false;
	*ret = (uint16_t)port;
	return true;
}

/* Splits at the last colon and takes the brackets off; false when the host is too long. */
static bool split(const char *text, char host[TARGET_HOST_MAX + 1], bool *ret_bracketed,
		  const char **ret_port)
{
	const char *colon = strrchr(text, ':');
	size_t len;

	if (!colon)
		return false;
	*ret_port = colon + 1;
	len = (size_t)(colon - text);
	*ret_bracketed = len >= 2 && text[0] == '[' && text[len - 1] == ']';
	if (*ret_bracketed) {
		text++;
		len -= 2;
	}
	if (len > TARGET_HOST_MAX)
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	return true;
}

int target_parse(const char *authority, struct target *ret, struct err *err)
{
	struct target target = { 0 };
	struct in6_addr v6;
	struct in_addr v4;
	const char *port;
	bool bracketed;

	if (!split(authority, target.host, &bracketed, &port) || !parse_port(port, &target.port))
		return err_set(err, ERR_INVALID, "the target is not HOST:PORT");
	if (bracketed ? inet_pton(AF_INET6, target.host, &v6) != 1 : !is_name(target.host))
		return err_set(err, ERR_INVALID,
			       "the target's host is neither a name nor an address");
	target.is_ip = bracketed || inet_pton(AF_INET, target.host, &v4) == 1;
	*ret = target;
	return 0;
}

bool target_is_loopback(const struct target *target)
{
	struct in6_addr v6;
	struct in_addr v4;

	if (inet_pton(AF_INET, target->host, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, target->host, &v6) == 1)
		return IN6_IS_ADDR_LOOPBACK(&v6) ||
		       (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
	return strcasecmp(target->host, "localhost") == 0;
}

/* Two texts of one IPv6 address are the same host. */
static bool same_host(const char *a, const char *b)
{
	struct in6_addr v6_a, v6_b;

	if (inet_pton(AF_INET6, a, &v6_a) == 1 && inet_pton(AF_INET6, b, &v6_b) == 1)
		return memcmp(&v6_a, &v6_b, sizeof(v6_a)) == 0;
	return strcasecmp(a, b) == 0;
}

static bool matches(const struct target *target, const char *rule)
{
	char host[TARGET_HOST_MAX + 1];
	const char *port_text;
	uint16_t port = 0;
	bool bracketed;

	if (!split(rule, host, &bracketed, &port_text))
		return false;
	if (strcmp(port_text, "*") != 0 && (!parse_port(port_text, &port) || port != target->port))
		return false;
	return strcmp(host, "*") == 0 || same_host(host, target->host);
}

bool target_is_allowed(const struct target *target, char *const *allow, size_t allow_len)
{
	if (target_is_loopback(target))
		return true;
	for (size_t i = 0; i < allow_len; i++) {
		if (matches(target, allow[i]))
			return true;
	}
	return false;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* One byte of a percent-encoded text, or -1; *at moves behind it. */
static int decode(const char **at)
{
	const char *s = *at;
	int high, low;

	if (s[0] != '%') {
		*at = s + 1;
		return (unsigned char)s[0];
	}
	high = hex_digit(s[1]);
	low = high < 0 ? -1 : hex_digit(s[2]);
	if (low < 0)
		return -1;
	*at = s + 3;
	return high << 4 | low;
}

int target_parse_unix(const char *path, char ret[TARGET_PATH_MAX + 1], struct err *err)
{
	char out[TARGET_PATH_MAX + 1];
	size_t len = 0;

	if (strncmp(path, UNIX_PREFIX, strlen(UNIX_PREFIX)) != 0)
		return err_set(err, ERR_INVALID, "the path does not begin with " UNIX_PREFIX);
	for (path += strlen(UNIX_PREFIX); *path;) {
		int byte = decode(&path);

		if (byte <= 0)
			return err_set(err, ERR_INVALID,
				       "the socket's path is not percent-encoded");
		if (len == TARGET_PATH_MAX)
			return err_set(
				err, ERR_INVALID,
				"the socket's path is longer than %d bytes, the most there are",
				TARGET_PATH_MAX);
		out[len++] = (char)byte;
	}
	if (len == 0 || out[0] != '/')
		return err_set(err, ERR_INVALID, "the socket's path is not absolute");
	out[len] = '\0';
	memcpy(ret, out, len + 1);
	return 0;
}
