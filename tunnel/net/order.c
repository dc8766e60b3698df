/* SPDX-License-Identifier: MIT */
/* In which order addresses are tried; see order.h. */
#include "order.h"

#include <string.h>
#include <unistd.h>

static bool is_this_host(const struct endpoint *endpoint, const char *host,
			 const struct addr_list *own)
{
	if (strcmp(endpoint->host, host) == 0)
		return true;
	for (size_t i = 0; i < endpoint->addresses.len; i++) {
		struct quic_addr addr = endpoint->addresses.items[i];

		addr_set_port(&addr, 0);
		if (!addr_is_loopback(&addr) && addr_list_has(own, &addr))
			return true;
	}
	return false;
}

static void add_if(const struct addr_list *list, bool loopback, struct addr_list *ret)
{
	for (size_t i = 0; i < list->len; i++) {
		if (addr_is_loopback(&list->items[i]) == loopback)
			(void)addr_list_add(ret, &list->items[i]);
	}
}

void order_addresses(const struct endpoint *endpoint, const char *host, const struct addr_list *own,
		     struct addr_list *ret)
{
	bool here = is_this_host(endpoint, host, own);

	ret->len = 0;
	add_if(&endpoint->addresses, here, ret);
	add_if(&endpoint->addresses, !here, ret);
}

void order_here(const struct endpoint *endpoint, struct addr_list *ret)
{
	char host[ENDPOINT_HOST_MAX] = "";
	struct addr_list own;

	gethostname(host, sizeof(host) - 1);
	addr_list_local(AF_UNSPEC, 0, &own);
	order_addresses(endpoint, host, &own, ret);
}
