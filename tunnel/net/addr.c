/* SPDX-License-Identifier: MIT */
/* Addresses: text, comparison, and the ones this host has; see addr.h. */
#include "addr.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "init/base/text.h"

/* Splits "[v6]:port" or "v4:port"; *ret_host is at least INET6_ADDRSTRLEN long. */
static bool split(const char *text, char *ret_host, size_t size, int *ret_family,
		  uint16_t *ret_port)
{
	bool bracket = text[0] == '[';
	const char *start = bracket ? text + 1 : text;
	const char *end = bracket ? strchr(start, ']') : strchr(start, ':');
	uint64_t port;

	if (!end || (size_t)(end - start) >= size)
		return false;
	memcpy(ret_host, start, (size_t)(end - start));
	ret_host[end - start] = '\0';
	if (bracket && *++end != ':')
		return false;
	if (!text_parse_uint(end + 1, UINT16_MAX, &port))
		return false;
	*ret_family = bracket ? AF_INET6 : AF_INET;
	*ret_port = (uint16_t)port;
	return true;
}

bool addr_parse_listen(const char *text, struct quic_addr *ret)
{
	char host[INET6_ADDRSTRLEN];
	struct quic_addr addr;
	uint16_t port;
	int family;

	if (!split(text, host, sizeof(host), &family, &port))
		return false;
	addr = addr_any(family, port);
	if (family == AF_INET && inet_pton(AF_INET, host, &addr.v4.sin_addr) != 1)
		return false;
	if (family == AF_INET6 && inet_pton(AF_INET6, host, &addr.v6.sin6_addr) != 1)
		return false;
	*ret = addr_from_sockaddr(&addr.any);
	return true;
}

bool addr_parse(const char *text, struct quic_addr *ret)
{
	struct quic_addr addr;

	if (!addr_parse_listen(text, &addr) || addr_port(&addr) == 0 || addr_is_any(&addr) ||
	    addr_is_link_local(&addr))
		return false;
	*ret = addr;
	return true;
}

void addr_format(const struct quic_addr *addr, char out[ADDR_TEXT_MAX])
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (addr_family(addr) == AF_INET) {
		inet_ntop(AF_INET, &addr->v4.sin_addr, host, sizeof(host));
		snprintf(out, ADDR_TEXT_MAX, "%s:%u", host, addr_port(addr));
	} else if (addr_family(addr) == AF_INET6) {
		inet_ntop(AF_INET6, &addr->v6.sin6_addr, host, sizeof(host));
		snprintf(out, ADDR_TEXT_MAX, "[%s]:%u", host, addr_port(addr));
	} else {
		snprintf(out, ADDR_TEXT_MAX, "none");
	}
}

struct quic_addr addr_from_sockaddr(const struct sockaddr *sa)
{
	struct quic_addr addr = { 0 };

	if (sa->sa_family == AF_INET) {
		addr.len = sizeof(addr.v4);
		memcpy(&addr.v4, sa, sizeof(addr.v4));
	} else if (sa->sa_family == AF_INET6) {
		addr.len = sizeof(addr.v6);
		memcpy(&addr.v6, sa, sizeof(addr.v6));
		if (IN6_IS_ADDR_V4MAPPED(&addr.v6.sin6_addr)) {
			struct quic_addr v4 = addr_any(AF_INET, ntohs(addr.v6.sin6_port));

			memcpy(&v4.v4.sin_addr, addr.v6.sin6_addr.s6_addr + 12, 4);
			return v4;
		}
		addr.v6.sin6_flowinfo = 0;
	}
	return addr;
}

struct quic_addr addr_mapped(const struct quic_addr *addr)
{
	struct quic_addr v6;

	if (addr_family(addr) != AF_INET)
		return *addr;
	v6 = addr_any(AF_INET6, addr_port(addr));
	memset(v6.v6.sin6_addr.s6_addr + 10, 0xff, 2);
	memcpy(v6.v6.sin6_addr.s6_addr + 12, &addr->v4.sin_addr, 4);
	return v6;
}

struct quic_addr addr_any(int family, uint16_t port)
{
	struct quic_addr addr = { 0 };

	if (family == AF_INET) {
		addr.len = sizeof(addr.v4);
		addr.v4.sin_family = AF_INET;
	} else {
		addr.len = sizeof(addr.v6);
		addr.v6.sin6_family = AF_INET6;
	}
	addr_set_port(&addr, port);
	return addr;
}

int addr_family(const struct quic_addr *addr)
{
	return addr->len ? addr->any.sa_family : AF_UNSPEC;
}

uint16_t addr_port(const struct quic_addr *addr)
{
	if (addr_family(addr) == AF_INET)
		return ntohs(addr->v4.sin_port);
	return addr_family(addr) == AF_INET6 ? ntohs(addr->v6.sin6_port) : 0;
}

void addr_set_port(struct quic_addr *addr, uint16_t port)
{
	if (addr_family(addr) == AF_INET)
		addr->v4.sin_port = htons(port);
	else if (addr_family(addr) == AF_INET6)
		addr->v6.sin6_port = htons(port);
}

bool addr_equal(const struct quic_addr *a, const struct quic_addr *b)
{
	if (addr_family(a) != addr_family(b) || addr_port(a) != addr_port(b))
		return false;
	if (addr_family(a) == AF_INET)
		return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
	if (addr_family(a) == AF_INET6)
		return IN6_ARE_ADDR_EQUAL(&a->v6.sin6_addr, &b->v6.sin6_addr) &&
		       a->v6.sin6_scope_id == b->v6.sin6_scope_id;
	return true;
}

bool addr_is_loopback(const struct quic_addr *addr)
{
	if (addr_family(addr) == AF_INET)
		return ntohl(addr->v4.sin_addr.s_addr) >> 24 == 127;
	return addr_family(addr) == AF_INET6 && IN6_IS_ADDR_LOOPBACK(&addr->v6.sin6_addr);
}

bool addr_is_link_local(const struct quic_addr *addr)
{
	if (addr_family(addr) == AF_INET)
		return ntohl(addr->v4.sin_addr.s_addr) >> 16 == 0xa9fe; /* 169.254/16, RFC 3927 */
	return addr_family(addr) == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&addr->v6.sin6_addr);
}

bool addr_is_any(const struct quic_addr *addr)
{
	if (addr_family(addr) == AF_INET)
		return addr->v4.sin_addr.s_addr == htonl(INADDR_ANY);
	return addr_family(addr) == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&addr->v6.sin6_addr);
}

bool addr_list_has(const struct addr_list *list, const struct quic_addr *addr)
{
	for (size_t i = 0; i < list->len; i++) {
		if (addr_equal(&list->items[i], addr))
			return true;
	}
	return false;
}

bool addr_list_add(struct addr_list *list, const struct quic_addr *addr)
{
	if (addr_list_has(list, addr))
		return true;
	if (list->len == ADDR_LIST_MAX)
		return false;
	list->items[list->len++] = *addr;
	return true;
}

static void add_interfaces(const struct ifaddrs *all, int family, uint16_t port, bool loopback,
			   struct addr_list *list)
{
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		struct quic_addr addr;

		if (!i->ifa_addr || !(i->ifa_flags & IFF_UP))
			continue;
		addr = addr_from_sockaddr(i->ifa_addr);
		if (addr.len == 0 || addr_is_link_local(&addr) || addr_is_any(&addr) ||
		    addr_is_loopback(&addr) != loopback ||
		    (family != AF_UNSPEC && addr_family(&addr) != family))
			continue;
		addr_set_port(&addr, port);
		if (!addr_list_add(list, &addr))
			return;
	}
}

void addr_list_local(int family, uint16_t port, struct addr_list *ret)
{
	struct quic_addr loopback = addr_any(AF_INET, port);
	struct ifaddrs *all = NULL;

	ret->len = 0;
	if (getifaddrs(&all) == 0) {
		add_interfaces(all, family, port, false, ret);
		add_interfaces(all, family, port, true, ret);
		freeifaddrs(all);
	}
	loopback.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (ret->len == 0)
		(void)addr_list_add(ret, &loopback);
}
