/* SPDX-License-Identifier: MIT */
/* Addresses and paths, ours and ngtcp2's. */
#include "tunnel/quic/internal.h"

#include <arpa/inet.h>

/* Packets in a row from elsewhere until ngtcp2 may follow them without an id of their own. */
#define STRAYS_MAX 8

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

static in_port_t *port_of(struct quic_addr *addr)
{
	return addr->any.sa_family == AF_INET6 ? &addr->v6.sin6_port : &addr->v4.sin_port;
}

/*
 * A path has a number, which has the place of our port: nothing that we send depends on that. What
 * comes from where the path in use leads belongs to it; anything else is for ngtcp2 a path with the
 * next number, so that a client's new address, even one of which only the port is new, is a path
 * between other addresses on both sides. That has two consequences:
 *
 * It begins with a fresh congestion state. One that is kept (RFC 9000 section 9.4 allows it when
 * only a port changed) has, after a long silence, a window that is full of what nobody got and a
 * timer that was doubled to an hour: what the job has to say would wait for that.
 *
 * And it has an id of the client's to itself (RFC 9000 section 9.5). When a NAT forgot an address,
 * the client does not know and goes on with the same id of ours, upon which ngtcp2 uses the same id
 * of the client's on both paths. If another move comes while it still looks after the former path,
 * it gives that id back and counts it all the same, until the client's next one is one too many and
 * ends the connection.
 *
 * A client that cannot hear us does not replace the ids that are used up, without which ngtcp2
 * stays where it is. So after some packets in a row from elsewhere the path in use lends its id.
 */
static void number(struct quic_conn *conn, struct quic_path *path)
{
	struct quic_path used;
	uint16_t next = 0;

	if (conn->tp) { /* not the first packet */
		quic_path_take(ngtcp2_conn_get_path(conn->tp), &used);
		next = ntohs(*port_of(&used.local));
		if (quic_addr_equal(&used.remote, &path->remote))
			conn->strays = 0;
		else if (++conn->strays <= STRAYS_MAX)
			next++;
	}
	conn->port = *port_of(&path->local);
	*port_of(&path->local) = htons(next);
}

void quic_path_mix(struct quic_conn *conn, struct span packet, struct quic_path *path)
{
	if (quic_addr_is_synthetic(&path->remote))
		mix_id(conn, packet, &path->remote);
	number(conn, path);
}

static void unmix(const struct quic_conn *conn, struct quic_path *path)
{
	if (quic_addr_is_synthetic(&path->remote))
		memset(path->remote.v6.sin6_addr.s6_addr + MIX_AT, 0, MIX_LEN);
	*port_of(&path->local) = conn->port;
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
		unmix(conn, ret);
}

void quic_path_take(const ngtcp2_path *from, struct quic_path *ret)
{
	addr_take(&from->local, &ret->local);
	addr_take(&from->remote, &ret->remote);
}
