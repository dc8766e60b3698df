/* SPDX-License-Identifier: MIT */
/* Tickets and early data (0-RTT, RFC 9001 section 4.6) of a client. */
#include "tunnel/quic/internal.h"

#include <openssl/ssl.h>

static void told(void *user, struct span session)
{
	struct quic_conn *conn = user;
	uint8_t params[QUIC_TICKET_PARAMS_MAX];
	struct quic_ticket ticket = { .session = session };
	ngtcp2_ssize len;

	if (!conn->ops || conn->state != QUIC_READY)
		return;
	len = ngtcp2_conn_encode_0rtt_transport_params(conn->tp, params, sizeof(params));
	if (len <= 0)
		return;
	ticket.params = span_of(params, (size_t)len);
	conn->ops->ticket(conn->app, &ticket);
}

bool quic_conn_wants_tickets(struct quic_conn *conn)
{
	if (tls_context_is_relay(conn->tls))
		return true;
	if (quic_conn_is_server(conn))
		return SSL_set_quic_tls_early_data_enabled(conn->ssl, 1) == 1;
	conn->tickets = (struct tls_tickets){ .told = told, .user = conn };
	return tls_session_on_ticket(conn->ssl, &conn->tickets);
}

void quic_conn_use_ticket(struct quic_conn *conn, const struct quic_ticket *ticket)
{
	if (!tls_session_resume(conn->tls, conn->ssl, ticket->session))
		return;
	/* Without the server's limits the handshake is still a shorter one. */
	if (ngtcp2_conn_decode_and_set_0rtt_transport_params(conn->tp, ticket->params.ptr,
							     ticket->params.len) != 0)
		return;
	conn->is_early = SSL_set_quic_tls_early_data_enabled(conn->ssl, 1) == 1;
}

bool quic_conn_is_early(const struct quic_conn *conn)
{
	return conn->is_early && conn->state == QUIC_HANDSHAKE;
}

int quic_conn_end_early(struct quic_conn *conn)
{
	if (!conn->is_early || tls_session_is_early(conn->ssl))
		return 0;
	if (ngtcp2_conn_tls_early_data_rejected(conn->tp) != 0 ||
	    conn->ops->rejected(conn->app) < 0)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	return 0;
}
