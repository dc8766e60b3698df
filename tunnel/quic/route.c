/* SPDX-License-Identifier: MIT */
/* Routes from connection ids to connections; see route.h. */
#include "tunnel/quic/route.h"

#include <assert.h>

#include "init/base/alloc.h"

/* So many closed connections are remembered; further ones are forgotten at once. */
#define REMEMBERED_MAX QUIC_SERVER_CONNS_MAX
/* How often the timers of a connection that cannot send are looked at. */
#define BLOCKED_NS (10 * NSEC_PER_MSEC)

static struct span cid_span(const ngtcp2_cid *cid)
{
	return span_of(cid->data, cid->datalen);
}

static void leave_queue(struct quic_route *route)
{
	struct quic_queue *queue = route->queue;

	if (!queue)
		return;
	*(route->previous ? &route->previous->next : &queue->first) = route->next;
	*(route->next ? &route->next->previous : &queue->last) = route->previous;
	queue->len--;
	route->queue = NULL;
	route->next = route->previous = NULL;
}

void quic_route_enqueue(struct quic_route *route, struct quic_queue *queue)
{
	leave_queue(route);
	if (!queue)
		return;
	route->queue = queue;
	route->previous = queue->last;
	*(queue->last ? &queue->last->next : &queue->first) = route;
	queue->last = route;
	queue->len++;
}

void quic_route_schedule(struct quic_route *route, uint64_t now)
{
	struct quic_server *server = route->server;
	uint64_t deadline = quic_conn_deadline(route->conn);

	/* It may have something to send that is overdue, and cannot. */
	if (route->queue == &server->blocked)
		deadline = MAX(deadline, now + BLOCKED_NS);
	deadlines_set(&server->deadlines, &route->deadline, deadline);
}

struct quic_route *quic_route_new(struct quic_server *server)
{
	struct quic_route *route = new_zero(struct quic_route);

	route->server = server;
	route->in_handshake = true;
	deadlines_set(&server->deadlines, &route->deadline, QUIC_NEVER);
	quic_route_enqueue(route, &server->ready);
	server->conns++;
	server->handshakes++;
	return route;
}

void quic_route_free(struct quic_route *route)
{
	struct quic_server *server = route->server;

	assert(!route->conn);
	while (route->cid_count > 0)
		quic_cids_remove(server->cids, cid_span(&route->cids[--route->cid_count]));
	quic_route_enqueue(route, NULL);
	deadlines_remove(&server->deadlines, &route->deadline);
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
	if (route->conn && !route->queue)
		quic_route_enqueue(route, &route->server->ready);
}

void quic_route_leave(struct quic_route *route)
{
	struct quic_server *server = route->server;
	struct quic_conn *conn = take_ptr(route->conn);

	quic_route_handshake_done(route);
	server->conns--;
	if (!conn || !conn->tp || conn->state != QUIC_OVER || conn->was_asked_to_retry ||
	    server->deadlines.len - server->conns > REMEMBERED_MAX) {
		quic_route_free(route);
		return;
	}
	quic_route_enqueue(route, NULL);
	deadlines_set(&server->deadlines, &route->deadline,
		      ngtcp2_conn_get_timestamp(conn->tp) + 3 * ngtcp2_conn_get_pto(conn->tp));
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
