/* SPDX-License-Identifier: MIT */
/* Addresses and paths, ours and ngtcp2's. */
#include "tunnel/quic/internal.h"

#include <arpa/inet.h>

static struct span addr_span(const struct quic_addr *addr)
{
	return span_of(&addr->any, addr->len);
}

bool quic_addr_equal(const struct quic_addr *a, const struct quic_addr *b)
{
	return span_equal(addr_span(a), addr_span(b));
}

/* Where the parts of a synthetic address are. */
static const uint8_t prefix[] = { 0xfd, 0x62, 0x72, 0x74, 0x68 };
#define LINK_AT sizeof(prefix)
#define MIX_AT (LINK_AT + 1)
#define MIX_LEN 6
#define NUMBER_AT (MIX_AT + MIX_LEN)

struct quic_addr quic_addr_synthetic(uint8_t link, uint32_t number)
{
	struct quic_addr addr = { .len = sizeof(addr.v6) };
	uint8_t *bytes = addr.v6.sin6_addr.s6_addr;

	addr.v6.sin6_family = AF_INET6;
	addr.v6.sin6_port = htons(1);
	memcpy(bytes, prefix, sizeof(prefix));
	bytes[LINK_AT] = link;
	number = htonl(number);
	memcpy(bytes + NUMBER_AT, &number, sizeof(number));
	return addr;
}

bool quic_addr_is_synthetic(const struct quic_addr *addr)
{
	return addr->len == sizeof(addr->v6) && addr->any.sa_family == AF_INET6 &&
	       memcmp(addr->v6.sin6_addr.s6_addr, prefix, sizeof(prefix)) == 0;
}

uint8_t quic_addr_link(const struct quic_addr *addr)
{
	return quic_addr_is_synthetic(addr) ? addr->v6.sin6_addr.s6_addr[LINK_AT] : 0;
}

uint32_t quic_addr_number(const struct quic_addr *addr)
{
	uint32_t number = 0;

	if (quic_addr_is_synthetic(addr))
		memcpy(&number, addr->v6.sin6_addr.s6_addr + NUMBER_AT, sizeof(number));
	return ntohl(number);
}

/*
 * A server takes a client's new port for a new address. A path of which only the port changed keeps
 * its congestion state (RFC 9000 section 9.4), and with it, after a long silence, a window that is
 * full of what nobody got and a timer that was doubled to an hour: what the job has to say would
 * wait for that. So the port is mixed into the address that ngtcp2 sees. Twice is not at all.
 */
static void mix_port(struct quic_addr *addr)
{
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

/*
 * All that comes by a relay comes from the relay's address, also from a client that moved. But a
 * client that moves also takes a fresh id of ours (RFC 9000 section 9.5), so that a part of the id
 * takes the place of the port. Not that of the handshake, which must see one path only.
 */
static void mix_id(const struct quic_conn *conn, struct span packet, struct quic_addr *addr)
{
	const uint8_t *id = packet.ptr + 1;

	if (packet.len < 1 + QUIC_CID_LEN || (packet.ptr[0] & 0x80) ||
	    memcmp(id, conn->handshake_id.data, QUIC_CID_LEN) == 0)
		return;
	memcpy(addr->v6.sin6_addr.s6_addr + MIX_AT, id + QUIC_TAG_LEN, MIX_LEN);
}

void quic_path_mix(const struct quic_conn *conn, struct span packet, struct quic_path *path)
{
	if (quic_addr_is_synthetic(&path->remote))
		mix_id(conn, packet, &path->remote);
	else
		mix_port(&path->remote);
}

static void unmix(struct quic_path *path)
{
	if (quic_addr_is_synthetic(&path->remote))
		memset(path->remote.v6.sin6_addr.s6_addr + MIX_AT, 0, MIX_LEN);
	else
		mix_port(&path->remote);
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
		unmix(ret);
}

void quic_path_take(const ngtcp2_path *from, struct quic_path *ret)
{
	addr_take(&from->local, &ret->local);
	addr_take(&from->remote, &ret->remote);
}
