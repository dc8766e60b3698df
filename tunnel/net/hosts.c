/* SPDX-License-Identifier: MIT */
/* Addresses that a peer may try; see hosts.h. */
#include "hosts.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "init/base/fs.h"

#define IF_INET6 "/proc/net/if_inet6"
#define IF_INET6_MAX (256 * 1024)

/* Of <linux/if_addr.h>, as /proc shows them. */
#define DAD_FAILED 0x08
#define DEPRECATED 0x20
#define TENTATIVE 0x40

bool hosts_is_unfit(const char *line, struct in6_addr *ret)
{
	unsigned int index, prefix, scope, flags;
	char hex[33];

	if (sscanf(line, "%32[0-9a-f] %x %x %x %x", hex, &index, &prefix, &scope, &flags) != 5 ||
	    strlen(hex) != 32)
		return false;
	for (size_t i = 0; i < 16; i++) {
		char digits[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

		ret->s6_addr[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return flags & (DAD_FAILED | DEPRECATED | TENTATIVE);
}

static bool is_unfit(const char *table, const struct in6_addr *address)
{
	for (const char *line = table; line && *line; line = strchr(line, '\n')) {
		struct in6_addr unfit;

		line += *line == '\n';
		if (hosts_is_unfit(line, &unfit) && IN6_ARE_ADDR_EQUAL(&unfit, address))
			return true;
	}
	return false;
}

static bool is_bridge(const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/class/net/%.*s/bridge", IFNAMSIZ, name);
	return access(path, F_OK) == 0;
}

/* Of interfaces that are bridges, or of those that are not. */
static void add(const struct ifaddrs *all, const char *table, bool bridges, uint16_t port,
		struct addr_list *list)
{
	for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
		struct quic_addr addr;

		if (!i->ifa_addr || !(i->ifa_flags & IFF_UP))
			continue;
		addr = addr_from_sockaddr(i->ifa_addr);
		if (addr.len == 0 || addr_is_link_local(&addr) || addr_is_any(&addr) ||
		    addr_is_loopback(&addr) || is_bridge(i->ifa_name) != bridges ||
		    (addr_family(&addr) == AF_INET6 && is_unfit(table, &addr.v6.sin6_addr)))
			continue;
		addr_set_port(&addr, port);
		if (!addr_list_add(list, &addr))
			return;
	}
}

void hosts_list(uint16_t port, struct addr_list *ret)
{
	cleanup(buf_finish) struct buf table = BUF_INIT(IF_INET6_MAX);
	struct ifaddrs *all = NULL;

	ret->len = 0;
	/* Without the file there is no IPv6, or nothing is known to be unfit. */
	(void)!fs_read_file(IF_INET6, IF_INET6_MAX, &table, NULL);
	if (getifaddrs(&all) < 0)
		return;
	add(all, buf_str(&table), false, port, ret);
	add(all, buf_str(&table), true, port, ret);
	freeifaddrs(all);
}
