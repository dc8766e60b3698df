/* SPDX-License-Identifier: MIT */
/*
 * How a connection ends: error codes from both sides become words, and our last packet is written.
 */
#include "tunnel/quic/internal.h"

#include <stdio.h>

#include <openssl/ssl.h>

#include "init/base/alloc.h"

/*
 * A peer that did not hear our CONNECTION_CLOSE would keep the session for the whole idle timeout,
 * and nobody would be here to tell it again: so it is said twice.
 */
#define CLOSE_COPIES 2

#define H3_NO_ERROR 0x100 /* RFC 9114 section 8.1 */

int err_from_ngtcp2(struct err *err, int code, const char *what)
{
	return err_set(err, code == NGTCP2_ERR_NOMEM ? ERR_INTERNAL : ERR_PROTOCOL, "%s: %s", what,
		       ngtcp2_strerror(code));
}

/* Text of the peer, as far as it is harmless. */
static void copy_reason(const uint8_t *reason, size_t len, char *out, size_t size)
{
	size_t n = MIN(len, size - 1);

	for (size_t i = 0; i < n; i++)
		out[i] = (char)(reason[i] >= ' ' && reason[i] < 0x7f ? reason[i] : '?');
	out[n] = '\0';
}

/* The peer sent CONNECTION_CLOSE (RFC 9000 section 10.2), or a stateless reset came. */
static void explain_peer_close(const struct quic_conn *conn, struct err *why)
{
	const ngtcp2_ccerr *code = ngtcp2_conn_get_ccerr(conn->tp);
	uint64_t number = code->error_code;
	bool is_app = code->type == NGTCP2_CCERR_TYPE_APPLICATION;
	char reason[128];

	copy_reason(code->reason, code->reasonlen, reason, sizeof(reason));
	if (conn->was_reset && tls_context_is_relay(conn->tls))
		err_set(why, ERR_UNAVAILABLE, "the relay was restarted");
	else if (conn->was_reset)
		err_set(why, ERR_UNAVAILABLE,
			"the tunnel of the job was restarted; the session is gone");
	else if (!is_app && number >= NGTCP2_CRYPTO_ERROR && number <= NGTCP2_CRYPTO_ERROR + 0xff)
		tls_context_alert_error(conn->tls, false, (uint8_t)number, why);
	else if (!is_app && number == NGTCP2_CONNECTION_REFUSED)
		err_set(why, ERR_LIMIT, "%s takes no more connections",
			tls_context_is_relay(conn->tls) ? "the relay" : "the job");
	else if (is_app && number == H3_NO_ERROR && *reason)
		err_set(why, ERR_UNAVAILABLE, "%s", reason);
	else if (number == (is_app ? H3_NO_ERROR : NGTCP2_NO_ERROR))
		err_set(why, ERR_NONE, "closed by the peer");
	else
		err_set(why, ERR_PROTOCOL, "closed by the peer: %s error 0x%llx%s%s",
			is_app ? "application" : "transport", (unsigned long long)number,
			*reason ? ": " : "", reason);
}

void quic_conn_note(struct quic_conn *conn, const ngtcp2_ccerr *code, const struct err *why)
{
	if (conn->state >= QUIC_CLOSING)
		return;
	conn->state = QUIC_CLOSING;
	conn->why = *why;
	conn->close_code = *code;
	conn->close_copies = CLOSE_COPIES;
	if (why->kind == ERR_NONE)
		return;
	snprintf(conn->close_reason, sizeof(conn->close_reason), "%.*s",
		 (int)sizeof(conn->close_reason) - 1, why->text);
	conn->close_code.reason = (const uint8_t *)conn->close_reason;
	conn->close_code.reasonlen = strlen(conn->close_reason);
}

/* There is nobody to tell. */
static void end_silently(struct quic_conn *conn, const struct err *why)
{
	if (conn->state < QUIC_CLOSING)
		conn->why = *why;
	conn->state = QUIC_OVER;
}

static void fail_aloud(struct quic_conn *conn, int code)
{
	ngtcp2_ccerr ccerr;
	struct err why;

	ngtcp2_ccerr_default(&ccerr);
	if (code == NGTCP2_ERR_CRYPTO) {
		uint8_t alert = ngtcp2_conn_get_tls_alert(conn->tp);

		ngtcp2_ccerr_set_tls_alert(&ccerr, alert, NULL, 0);
		tls_context_alert_error(conn->tls, true, alert, &why);
	} else {
		ngtcp2_ccerr_set_liberr(&ccerr, code, NULL, 0);
		err_from_ngtcp2(&why, code, "QUIC");
	}
	quic_conn_note(conn, &ccerr, &why);
}

void quic_conn_fail(struct quic_conn *conn, int code)
{
	struct err why = { 0 };

	switch (code) {
	case NGTCP2_ERR_CLOSING:
		return;
	case NGTCP2_ERR_DRAINING:
		explain_peer_close(conn, &why);
		break;
	case NGTCP2_ERR_IDLE_CLOSE:
		err_set(&why, ERR_TIMEOUT, "the connection was idle for too long");
		break;
	case NGTCP2_ERR_HANDSHAKE_TIMEOUT:
		err_set(&why, ERR_TIMEOUT, "no answer within %llu s",
			(unsigned long long)(conn->settings.handshake_timeout_ns / NSEC_PER_SEC));
		break;
	case NGTCP2_ERR_RETRY:
		conn->was_asked_to_retry = true;
		err_set(&why, ERR_NONE, "answered with Retry");
		break;
	case NGTCP2_ERR_DROP_CONN:
		err_set(&why, ERR_PROTOCOL, "the first packets made no sense");
		break;
	case NGTCP2_ERR_RECV_VERSION_NEGOTIATION:
		err_set(&why, ERR_UNSUPPORTED, "the peer speaks another version of QUIC");
		break;
	default:
		fail_aloud(conn, code);
		return;
	}
	end_silently(conn, &why);
}

void quic_conn_close(struct quic_conn *conn, uint64_t code, const struct err *why)
{
	ngtcp2_ccerr ccerr;

	ngtcp2_ccerr_default(&ccerr);
	ngtcp2_ccerr_set_application_error(&ccerr, code, NULL, 0);
	quic_conn_note(conn, &ccerr, why);
	quic_conn_wants_write(conn);
}

void quic_conn_refuse(struct quic_conn *conn)
{
	ngtcp2_ccerr ccerr;
	struct err why;

	ngtcp2_ccerr_default(&ccerr);
	ngtcp2_ccerr_set_tls_alert(&ccerr, SSL_AD_BAD_CERTIFICATE, NULL, 0);
	tls_context_alert_error(conn->tls, true, SSL_AD_BAD_CERTIFICATE, &why);
	quic_conn_note(conn, &ccerr, &why);
	quic_conn_wants_write(conn);
}

/* Puts CONNECTION_CLOSE into conn->close_packet; false when it cannot be sent. */
static bool build_close(struct quic_conn *conn, uint64_t now)
{
	ngtcp2_path_storage path;
	ngtcp2_pkt_info info;
	ngtcp2_ssize len;

	ngtcp2_path_storage_zero(&path);
	if (!conn->close_packet)
		conn->close_packet = alloc_zero(1, QUIC_CLOSE_PACKET_MAX);
	len = ngtcp2_conn_write_connection_close(conn->tp, &path.path, &info, conn->close_packet,
						 QUIC_CLOSE_PACKET_MAX, &conn->close_code, now);
	if (len <= 0)
		return false;
	conn->close_len = (size_t)len;
	quic_conn_take_path(conn, &path.path, &conn->close_path);
	return true;
}

bool quic_conn_write_close(struct quic_conn *conn, struct quic_batch *batch, uint64_t now)
{
	if (conn->close_len == 0 && !build_close(conn, now)) {
		conn->state = QUIC_OVER;
		return false;
	}
	batch->path = conn->close_path;
	batch->ecn = 0;
	batch->segment = batch->len = conn->close_len;
	memcpy(batch->bytes, conn->close_packet, conn->close_len);
	if (--conn->close_copies == 0)
		conn->state = QUIC_OVER;
	return true;
}
