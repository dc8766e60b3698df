/* SPDX-License-Identifier: MIT */
/* Addresses and paths, ours and ngtcp2's. */
#include "tunnel/quic/internal.h"

static struct span addr_span(const struct quic_addr *addr)
{
	return span_of(&addr->any, addr->len);
}

bool quic_addr_equal(const struct quic_addr *a, const struct quic_addr *b)
{
	return span_equal(addr_span(a), addr_span(b));
}

ngtcp2_path quic_path_borrow(struct quic_path *path)
{
	return (ngtcp2_path){
		.local = { .addr = &path->local.any, .addrlen = path->local.len },
		.remote = { .addr = &path->remote.any, .addrlen = path->remote.len },
	};
}

static void addr_take(const ngtcp2_addr *from, struct quic_addr *ret)
{
	size_t len = MIN((size_t)from->addrlen, sizeof(ret->v6));

	*ret = (struct quic_addr){ .len = (socklen_t)len };
	memcpy(&ret->any, from->addr, len);
}

void quic_path_take(const ngtcp2_path *from, struct quic_path *ret)
{
	addr_take(&from->local, &ret->local);
	addr_take(&from->remote, &ret->remote);
}
