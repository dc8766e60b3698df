/* SPDX-License-Identifier: MIT */
/*
 * The TLS side of a connection. After the handshake a server needs none of it any more: keys are
 * updated without TLS (RFC 9001 section 6), and it would be a quarter of an idle connection's
 * memory.
 */
#include "tunnel/quic/internal.h"

#include <openssl/ssl.h>

#include "tunnel/crypto/openssl.h"

int quic_conn_open_tls(struct quic_conn *conn, struct err *err)
{
	int rv;

	conn->ssl = tls_session_new(conn->tls);
	if (!conn->ssl)
		return err_from_openssl(err, "TLS session");
	SSL_set_app_data(conn->ssl, &conn->ref);
	if (ngtcp2_crypto_ossl_ctx_new(&conn->crypto, conn->ssl) != 0)
		return err_set(err, ERR_INTERNAL, "TLS session: no crypto context");
	if (quic_conn_is_server(conn))
		rv = ngtcp2_crypto_ossl_configure_server_session(conn->ssl);
	else
		rv = ngtcp2_crypto_ossl_configure_client_session(conn->ssl);
	if (rv != 0 || !quic_conn_wants_tickets(conn))
		return err_from_openssl(err, "TLS session for QUIC");
	return 0;
}

void quic_conn_close_tls(struct quic_conn *conn)
{
	if (!conn->crypto)
		return;
	/*
	 * SSL_free() gives crypto data back through the ngtcp2_conn, which must therefore still be
	 * there.
	 */
	if (conn->tp)
		ngtcp2_conn_set_tls_native_handle(conn->tp, NULL);
	if (conn->ssl) {
		SSL_set_app_data(conn->ssl, NULL);
		tls_session_free(conn->ssl, conn->was_ready);
	}
	conn->ssl = NULL;
	ngtcp2_crypto_ossl_ctx_del(conn->crypto);
	conn->crypto = NULL;
}

int quic_conn_finish_tls(struct quic_conn *conn, struct err *err)
{
	return tls_session_export(conn->ssl, &conn->exporter, err);
}

int quic_recv_crypto_data(ngtcp2_conn *tp, ngtcp2_encryption_level level, uint64_t offset,
			  const uint8_t *bytes, size_t len, void *user)
{
	const struct quic_conn *conn = user;

	/* A client has nothing to say in TLS after its Finished. */
	if (!conn->ssl)
		return 0;
	return ngtcp2_crypto_recv_crypto_data_cb(tp, level, offset, bytes, len, user);
}

int quic_conn_export(const struct quic_conn *conn, const char *label, struct secret *ret,
		     struct err *err)
{
	if (conn->state != QUIC_READY)
		return err_set(err, ERR_UNAVAILABLE, "the handshake is not complete");
	return key_derive(&conn->exporter, label, ret, err);
}
