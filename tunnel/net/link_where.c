/* SPDX-License-Identifier: MIT */
/* Where a link's relay is, and from where it is reached; see link.h. */
#include <arpa/inet.h>

#include "tunnel/net/addr.h"
#include "tunnel/net/clock.h"
#include "tunnel/net/link_private.h"

/* An older answer of the resolver is asked for again with the next dial. */
#define RESOLVED_FOR (30 * NSEC_PER_SEC)

static void keep_addresses(struct link *l, const struct resolve_list *list)
{
	l->remote_count = 0;
	for (size_t i = 0; i < list->len; i++) {
		struct quic_addr addr = addr_from_sockaddr(&list->items[i].any);

		/* A family without a route is none to wait for. */
		if (addr.len > 0 && udp_source(&addr).len > 0)
			l->remotes[l->remote_count++] = addr;
	}
}

static void on_resolved(void *owner, const struct resolve_list *list, const struct err *why)
{
	struct link *l = owner;

	bool waits = l->query != NULL; /* and did not get the answer while it asked */

	l->query = NULL;
	l->resolved_at = clock_now();
	if (list)
		keep_addresses(l, list);
	if (l->remote_count == 0)
		err_set(&l->unresolved, ERR_UNAVAILABLE, "%s: %s", l->config.site->host,
			why ? why->text : "no route there");
	else if (waits)
		link_core_wake(l->core, true, clock_now());
	link_touch(l);
}

void link_resolve(struct link *l)
{
	if (l->query || l->closing)
		return;
	l->query = resolver_query(l->resolver, l->config.site->host, l->config.site->port,
				  on_resolved, l);
}

/* "192.0.2.1" and "2001:db8::1" need nobody to be asked. */
bool link_parse_literal(struct link *l)
{
	struct quic_addr addr = addr_any(AF_INET, l->config.site->port);

	if (inet_pton(AF_INET, l->config.site->host, &addr.v4.sin_addr) != 1) {
		addr = addr_any(AF_INET6, l->config.site->port);
		if (inet_pton(AF_INET6, l->config.site->host, &addr.v6.sin6_addr) != 1)
			return false;
	}
	l->remotes[0] = addr;
	l->remote_count = 1;
	return true;
}

bool link_where(void *owner, struct quic_addr *ret)
{
	struct link *l = owner;

	if (l->resolver && (l->resolved_at == 0 || clock_now() - l->resolved_at > RESOLVED_FOR))
		link_resolve(l);
	if (l->remote_count == 0)
		return false;
	l->remote = l->remotes[l->dialled++ % l->remote_count];
	*ret = l->remote;
	return true;
}

struct quic_addr link_source(const struct link *l)
{
	const struct quic_addr *to = l->carrier ? carrier_remote(l->carrier) : &l->remote;

	return to->len > 0 ? udp_source(to) : (struct quic_addr){ 0 };
}

/* Of the kernel's news, only what changes from where we reach the relay. */
void link_route_changed(void *owner)
{
	struct link *l = owner;
	struct quic_addr source = link_source(l);

	if (l->closing || quic_addr_equal(&source, &l->source))
		return;
	l->source = source;
	if (source.len == 0)
		return;
	if (l->resolver && !link_is_up(l))
		link_resolve(l);
	link_core_redial(l->core, clock_now());
	link_touch(l);
}
