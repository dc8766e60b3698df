/* SPDX-License-Identifier: MIT */
/* Routes from connection ids to connections; see route.h. */
#include "tunnel/quic/route.h"

#include <assert.h>

#include "init/base/alloc.h"

/* So many closed connections are remembered; further ones are forgotten at once. */
#define REMEMBERED_MAX QUIC_SERVER_CONNS_MAX

static struct span cid_span(const ngtcp2_cid *cid)
{
	return span_of(cid->data, cid->datalen);
}

struct quic_route *quic_route_new(struct quic_server *server)
{
	struct quic_route *route = new_zero(struct quic_route);

	route->server = server;
	route->in_handshake = true;
	route->wants_write = true;
	if (server->route_count == server->route_size) {
		server->route_size = server->route_size ? 2 * server->route_size : 16;
		server->routes =
			alloc_grow(server->routes, server->route_size, sizeof(*server->routes));
	}
	server->routes[server->route_count++] = route;
	server->conns++;
	server->handshakes++;
	return route;
}

void quic_route_free(struct quic_route *route)
{
	struct quic_server *server = route->server;
	size_t at = 0;

	assert(!route->conn);
	while (route->cid_count > 0)
		quic_cids_remove(server->cids, cid_span(&route->cids[--route->cid_count]));
	while (server->routes[at] != route)
		at++;
	server->routes[at] = server->routes[--server->route_count];
	free(route->close_packet);
	free(route);
}

bool quic_route_add(struct quic_route *route, const ngtcp2_cid *cid)
{
	if (route->cid_count == ROUTE_CIDS_MAX ||
	    !quic_cids_add(route->server->cids, cid_span(cid), route))
		return false;
	route->cids[route->cid_count++] = *cid;
	return true;
}

void quic_route_remove(struct quic_route *route, const ngtcp2_cid *cid)
{
	for (size_t i = 0; i < route->cid_count; i++) {
		if (!ngtcp2_cid_eq(&route->cids[i], cid))
			continue;
		quic_cids_remove(route->server->cids, cid_span(cid));
		route->cids[i] = route->cids[--route->cid_count];
		return;
	}
}

bool quic_route_token(const struct quic_route *route, const ngtcp2_cid *cid,
		      ngtcp2_stateless_reset_token *ret)
{
	const struct secret *key = &route->server->reset_key;

	return ngtcp2_crypto_generate_stateless_reset_token(ret->data, key->bytes,
							    sizeof(key->bytes), cid) == 0;
}

void quic_route_handshake_done(struct quic_route *route)
{
	if (!route->in_handshake)
		return;
	route->in_handshake = false;
	route->server->handshakes--;
}

void quic_route_wants_write(struct quic_route *route)
{
	route->wants_write = true;
}

void quic_route_leave(struct quic_route *route)
{
	struct quic_server *server = route->server;
	struct quic_conn *conn = take_ptr(route->conn);

	quic_route_handshake_done(route);
	server->conns--;
	if (!conn || !conn->tp || conn->state != QUIC_OVER || conn->was_asked_to_retry ||
	    server->route_count - server->conns > REMEMBERED_MAX) {
		quic_route_free(route);
		return;
	}
	route->wants_write = false;
	route->forget_at = ngtcp2_conn_get_timestamp(conn->tp) + 3 * ngtcp2_conn_get_pto(conn->tp);
	if (conn->close_len == 0)
		return;
	route->close_len = conn->close_len;
	route->close_packet = alloc_zero(1, conn->close_len);
	memcpy(route->close_packet, conn->close_packet, conn->close_len);
}

void quic_route_remind(struct quic_route *route, const struct quic_path *path)
{
	/*
	 * The 1st, 2nd, 4th, 8th... packet is answered, so that two ends cannot keep each other
	 * busy.
	 */
	route->heard++;
	if (route->close_len == 0 || (route->heard & (route->heard - 1)) != 0)
		return;
	quic_reply(route->server, path, span_of(route->close_packet, route->close_len));
}

void quic_server_forget(struct quic_server *server, uint64_t now)
{
	for (size_t i = server->route_count; i-- > 0;)
		if (!server->routes[i]->conn && server->routes[i]->forget_at <= now)
			quic_route_free(server->routes[i]);
}
