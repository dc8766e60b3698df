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

/*
 * A server takes a client's new port for a new address. A path of which only the port changed keeps
 * its congestion state (RFC 9000 section 9.4), and with it, after a long silence, a window that is
 * full of what nobody got and a timer that was doubled to an hour: what the job has to say would
 * wait for that. So the port is mixed into the address that ngtcp2 sees. Twice is not at all.
 */
void quic_path_mix(struct quic_path *path)
{
	struct quic_addr *addr = &path->remote;
	uint16_t port;

	if (addr->any.sa_family == AF_INET) {
		port = addr->v4.sin_port;
		addr->v4.sin_addr.s_addr ^= (uint32_t)port << 16 | port;
	} else if (addr->any.sa_family == AF_INET6) {
		uint8_t *end = addr->v6.sin6_addr.s6_addr + 14;

		port = addr->v6.sin6_port;
		end[0] ^= (uint8_t)(port >> 8);
		end[1] ^= (uint8_t)port;
	}
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

void quic_conn_take_path(const struct quic_conn *conn, const ngtcp2_path *from,
			 struct quic_path *ret)
{
	quic_path_take(from, ret);
	if (quic_conn_is_server(conn))
		quic_path_mix(ret);
}

void quic_path_take(const ngtcp2_path *from, struct quic_path *ret)
{
	addr_take(&from->local, &ret->local);
	addr_take(&from->remote, &ret->remote);
}
