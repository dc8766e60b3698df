/* SPDX-License-Identifier: MIT */
/* The server side of one socket; see server.h. */
#include "tunnel/quic/server.h"

#include <assert.h>

#include "init/base/alloc.h"
#include "init/base/log.h"
#include "tunnel/quic/route.h"

struct quic_server *quic_server_new(const struct quic_server_config *config, struct err *err)
{
	cleanup(quic_server_free) struct quic_server *server = new_zero(struct quic_server);

	assert(tls_context_role(config->tls) == TLS_SERVER);
	server->tls = config->tls;
	server->reset_key = *config->reset_key;
	server->has_tag = config->tag != NULL;
	if (config->tag)
		server->tag = *config->tag;
	server->settings = config->settings;
	server->conns_max = config->conns_max ? config->conns_max : QUIC_SERVER_CONNS_MAX;
	server->ops = config->ops;
	server->owner = config->owner;
	server->cids = quic_cids_new();
	if (config->retry_key)
		server->retry_key = *config->retry_key;
	else if (key_random_secret(&server->retry_key, err) < 0)
		return NULL;
	return take_ptr(server);
}

static struct quic_route *route_of(struct deadline *deadline)
{
	return container_of(deadline, struct quic_route, deadline);
}

struct quic_server *quic_server_free(struct quic_server *server)
{
	if (!server)
		return NULL;
	assert(server->conns == 0);
	for (struct deadline *first; (first = deadlines_first(&server->deadlines));)
		quic_route_free(route_of(first));
	deadlines_finish(&server->deadlines);
	quic_cids_free(server->cids);
	secret_finish(&server->reset_key);
	secret_finish(&server->retry_key);
	free(server);
	return NULL;
}

void quic_server_set_conns_max(struct quic_server *server, size_t conns_max)
{
	server->conns_max = conns_max;
}

size_t quic_server_count(const struct quic_server *server)
{
	return server->conns;
}

size_t quic_server_handshakes(const struct quic_server *server)
{
	return server->handshakes;
}

/* What the first packet of a client asks for. original is set when it returned a token of ours. */
struct admission {
	ngtcp2_pkt_hd hd;
	bool is_retried;
	ngtcp2_cid original;
};

static void fill_admission(const struct admission *from, ngtcp2_settings *settings,
			   ngtcp2_transport_params *params)
{
	params->original_dcid_present = 1;
	params->original_dcid = from->hd.dcid;
	if (!from->is_retried)
		return;
	params->original_dcid = from->original;
	params->retry_scid_present = 1;
	params->retry_scid = from->hd.dcid;
	settings->token = from->hd.token;
	settings->tokenlen = from->hd.tokenlen;
	settings->token_type = NGTCP2_TOKEN_TYPE_RETRY;
}

static struct quic_conn *accept_conn(struct quic_server *server, const struct admission *admission,
				     const struct quic_path *path, uint64_t now, struct err *err)
{
	cleanup(quic_conn_free) struct quic_conn *conn =
		quic_conn_alloc(server->tls, &server->settings, err);
	struct quic_path copy = *path;
	ngtcp2_path borrowed = quic_path_borrow(&copy);
	ngtcp2_cid scid;
	ngtcp2_stateless_reset_token token;
	ngtcp2_transport_params params;
	ngtcp2_settings settings;
	int rv;

	if (!conn)
		return NULL;
	conn->route = quic_route_new(server);
	conn->route->conn = conn;
	quic_conn_set_tag(conn, server->has_tag ? &server->tag : NULL);
	quic_cid_make(&scid, server->has_tag ? &server->tag : NULL);
	conn->handshake_id = scid;
	quic_path_mix(conn, span_of(NULL, 0), &copy);
	if (!quic_route_token(conn->route, &scid, &token) || !quic_route_add(conn->route, &scid) ||
	    !quic_route_add(conn->route, &admission->hd.dcid)) {
		err_set(err, ERR_INTERNAL, "no connection id");
		return NULL;
	}
	quic_conn_fill_settings(conn, &settings, &params, now);
	fill_admission(admission, &settings, &params);
	params.stateless_reset_token_present = 1;
	memcpy(params.stateless_reset_token, token.data, sizeof(token.data));
	rv = ngtcp2_conn_server_new(&conn->tp, &admission->hd.scid, &scid, &borrowed,
				    admission->hd.version, &quic_callbacks, &settings, &params,
				    NULL, conn);
	if (rv != 0) {
		err_from_ngtcp2(err, rv, "QUIC connection");
		return NULL;
	}
	quic_conn_attach_tls(conn);
	return take_ptr(conn);
}

/* A datagram for no connection that we know, with a long header. */
static void admit(struct quic_server *server, const struct quic_path *path, uint8_t ecn,
		  struct span packet, uint64_t now)
{
	struct admission admission = { 0 };
	struct quic_conn *conn;
	struct err err;

	if (ngtcp2_accept(&admission.hd, packet.ptr, packet.len) != 0)
		return;
	admission.is_retried =
		quic_retry_verify(server, path, &admission.hd, now, &admission.original);
	if (server->conns >= server->conns_max) {
		quic_reply_refuse(server, path, &admission.hd, NGTCP2_CONNECTION_REFUSED);
		return;
	}
	if (server->handshakes >= QUIC_SERVER_HANDSHAKES_MAX && !admission.is_retried) {
		quic_reply_retry(server, path, &admission.hd, now);
		return;
	}
	conn = accept_conn(server, &admission, path, now, &err);
	if (!conn) {
		log_warn("cannot accept a connection: %s", err.text);
		return;
	}
	server->ops->accept(server->owner, conn);
	assert(conn->ops); /* it was given to an h3_conn */
	quic_conn_read(conn, path, ecn, packet, now);
	quic_route_schedule(conn->route, now);
	if (conn->was_asked_to_retry)
		quic_reply_retry(server, path, &admission.hd, now);
}

void quic_server_read(struct quic_server *server, const struct quic_path *path, uint8_t ecn,
		      struct span packet, uint64_t now)
{
	ngtcp2_version_cid ids;
	struct quic_route *route;
	int rv;

	/* Anybody may send an empty datagram; ngtcp2 asserts that nobody does. */
	if (packet.len == 0)
		return;
	rv = ngtcp2_pkt_decode_version_cid(&ids, packet.ptr, packet.len, QUIC_CID_LEN);
	if (rv == NGTCP2_ERR_VERSION_NEGOTIATION) {
		/* Smaller datagrams could be used for amplification (RFC 9000 section 6.1). */
		if (packet.len >= NGTCP2_MAX_UDP_PAYLOAD_SIZE)
			quic_reply_version(server, path, &ids);
		return;
	}
	if (rv != 0)
		return;
	route = quic_cids_find(server->cids, span_of(ids.dcid, ids.dcidlen));
	if (route && route->conn) {
		quic_route_wants_write(route);
		quic_conn_read(route->conn, path, ecn, packet, now);
		quic_route_schedule(route, now);
	} else if (route) {
		quic_route_remind(route, path);
	} else if (ids.version == 0) {
		quic_reply_reset(server, path, packet);
	} else {
		admit(server, path, ecn, packet, now);
	}
}

/*
 * Whether the path of a connection takes nothing now. One that ends is asked all the same: its last
 * packet is worth an attempt, and nobody waits for it.
 */
static bool is_blocked(const struct quic_server *server, const struct quic_conn *conn)
{
	struct quic_path path;

	if (!server->ops->is_blocked || conn->state >= QUIC_CLOSING)
		return false;
	quic_conn_path(conn, &path);
	return server->ops->is_blocked(server->owner, &path);
}

/* Connections take turns, a batch each. */
bool quic_server_write(struct quic_server *server, struct quic_batch *batch, uint64_t now)
{
	if (quic_reply_write(server, batch))
		return true;
	/* Each once: what the writing leads to may want another one, in the next turn. */
	for (size_t left = server->ready.len; left > 0 && server->ready.first; left--) {
		struct quic_route *route = server->ready.first;

		if (is_blocked(server, route->conn)) {
			quic_route_enqueue(route, &server->blocked);
			quic_route_schedule(route, now);
			continue;
		}
		quic_route_enqueue(route, NULL);
		if (quic_conn_write(route->conn, batch, now)) {
			quic_route_wants_write(route);
			return true;
		}
		quic_route_schedule(route, now);
	}
	return false;
}

void quic_server_unblock(struct quic_server *server)
{
	while (server->blocked.first)
		quic_route_enqueue(server->blocked.first, &server->ready);
}

uint64_t quic_server_deadline(const struct quic_server *server)
{
	const struct deadline *first = deadlines_first(&server->deadlines);

	return first ? first->at : QUIC_NEVER;
}

/* Those whose time has come, taken out of the heap: each is looked at once. */
void quic_server_expire(struct quic_server *server, uint64_t now)
{
	struct quic_route *due = NULL, *route;
	struct deadline *first;

	while ((first = deadlines_first(&server->deadlines)) && first->at <= now) {
		route = route_of(first);
		if (!route->conn) {
			quic_route_free(route);
			continue;
		}
		deadlines_remove(&server->deadlines, first);
		route->next_due = due;
		due = route;
	}
	for (; due; due = route) {
		route = due->next_due;
		quic_route_wants_write(due);
		quic_conn_expire(due->conn, now);
		quic_route_schedule(due, now);
	}
}
