/* SPDX-License-Identifier: MIT */
/* What ngtcp2 calls: translated into quic_app_ops and the server's table of ids. */
#include "tunnel/quic/internal.h"

#include <assert.h>

#include <openssl/rand.h>
#include <openssl/ssl.h>

/*
 * An application that returned -1 has closed the connection; ngtcp2 stops with the packet it is at.
 */
static int verdict(int result)
{
	return result < 0 ? NGTCP2_ERR_CALLBACK_FAILURE : 0;
}

/*
 * Callbacks that are still due for the packet at hand when the connection was closed reach nobody.
 */
static bool is_live(const struct quic_conn *conn)
{
	return conn->ops && conn->state < QUIC_CLOSING;
}

void quic_random(uint8_t *ret, size_t len)
{
	/*
	 * RAND_bytes() fails only where there is no entropy at all, and nothing can be done then.
	 */
	if (RAND_bytes(ret, (int)len) != 1)
		abort();
}

static void random_bytes(uint8_t *dest, size_t len, const ngtcp2_rand_ctx *unused)
{
	(void)unused;
	quic_random(dest, len);
}

static int new_connection_id(ngtcp2_conn *tp, ngtcp2_cid *cid, ngtcp2_stateless_reset_token *token,
			     size_t len, void *user)
{
	struct quic_conn *conn = user;

	(void)tp;
	assert(len == QUIC_CID_LEN); /* as long as the first one */
	quic_cid_make(cid, conn->has_tag ? &conn->tag : NULL);
	if (!conn->route) {
		/* A client is never reset by itself: nobody keeps its token. */
		quic_random(token->data, sizeof(token->data));
		return 0;
	}
	if (!quic_route_token(conn->route, cid, token) || !quic_route_add(conn->route, cid))
		return NGTCP2_ERR_CALLBACK_FAILURE;
	return 0;
}

static int remove_connection_id(ngtcp2_conn *tp, const ngtcp2_cid *cid, void *user)
{
	struct quic_conn *conn = user;

	(void)tp;
	if (conn->route)
		quic_route_remove(conn->route, cid);
	return 0;
}

static int tx_key(ngtcp2_conn *tp, ngtcp2_encryption_level level, void *user)
{
	struct quic_conn *conn = user;

	/*
	 * A client may not open streams yet: the server's limits count from the end of the
	 * handshake.
	 */
	if (level != NGTCP2_ENCRYPTION_LEVEL_1RTT || !ngtcp2_conn_is_server(tp) || !is_live(conn))
		return 0;
	return verdict(conn->ops->writable(conn->app));
}

static int check_peer(struct quic_conn *conn)
{
	ngtcp2_ccerr code;
	struct err err;

	conn->has_peer = tls_session_peer(conn->ssl, &conn->peer);
	if (tls_session_check(conn->tls, conn->ssl, &err) == 0 &&
	    (!SSL_is_init_finished(conn->ssl) || quic_conn_finish_tls(conn, &err) == 0))
		return 0;
	ngtcp2_ccerr_default(&code);
	ngtcp2_ccerr_set_tls_alert(&code, SSL_AD_BAD_CERTIFICATE, NULL, 0);
	quic_conn_note(conn, &code, &err);
	return NGTCP2_ERR_CALLBACK_FAILURE;
}

static int handshake_completed(ngtcp2_conn *tp, void *user)
{
	struct quic_conn *conn = user;
	bool was_early = conn->is_early;

	if (!is_live(conn) || check_peer(conn) != 0 || quic_conn_end_early(conn) != 0)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	conn->state = QUIC_READY;
	conn->was_ready = true;
	if (conn->route) {
		struct quic_path path;

		quic_conn_path(conn, &path);
		quic_conn_note_home(conn, &path);
		quic_route_handshake_done(conn->route);
	}
	/* Early data that was taken goes on where it was; else streams begin here. */
	if (!ngtcp2_conn_is_server(tp) &&
	    (!was_early || ngtcp2_conn_get_tls_early_data_rejected(tp)) &&
	    conn->ops->writable(conn->app) < 0)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	return verdict(conn->ops->ready(conn->app));
}

/* The server's key for early data is there: the last moment to look who sends it. */
static int rx_key(ngtcp2_conn *tp, ngtcp2_encryption_level level, void *user)
{
	struct quic_conn *conn = user;

	(void)tp;
	return level == NGTCP2_ENCRYPTION_LEVEL_0RTT ? check_peer(conn) : 0;
}

static int recv_stream_data(ngtcp2_conn *tp, uint32_t flags, int64_t stream, uint64_t offset,
			    const uint8_t *bytes, size_t len, void *user, void *stream_user)
{
	struct quic_conn *conn = user;

	(void)offset;
	(void)stream_user;
	if (!is_live(conn))
		return NGTCP2_ERR_CALLBACK_FAILURE;
	return verdict(conn->ops->data(conn->app, stream, span_of(bytes, len),
				       flags & NGTCP2_STREAM_DATA_FLAG_FIN,
				       ngtcp2_conn_get_timestamp(tp)));
}

static int acked_stream_data(ngtcp2_conn *tp, int64_t stream, uint64_t offset, uint64_t len,
			     void *user, void *stream_user)
{
	struct quic_conn *conn = user;

	(void)tp;
	(void)offset;
	(void)stream_user;
	quic_mtu_note_acked(conn, len);
	return is_live(conn) ? verdict(conn->ops->acked(conn->app, stream, len)) : 0;
}

static int stream_close(ngtcp2_conn *tp, uint32_t flags, int64_t stream, uint64_t code, void *user,
			void *stream_user)
{
	struct quic_conn *conn = user;
	bool has_code = flags & NGTCP2_STREAM_CLOSE_FLAG_APP_ERROR_CODE_SET;

	(void)tp;
	(void)stream_user;
	return is_live(conn) ? verdict(conn->ops->closed_stream(conn->app, stream, has_code, code))
			     : 0;
}

static int stream_reset(ngtcp2_conn *tp, int64_t stream, uint64_t final_size, uint64_t code,
			void *user, void *stream_user)
{
	struct quic_conn *conn = user;

	(void)tp;
	(void)final_size;
	(void)stream_user;
	return is_live(conn) ? verdict(conn->ops->reset(conn->app, stream, code)) : 0;
}

static int stop_sending(ngtcp2_conn *tp, int64_t stream, uint64_t code, void *user,
			void *stream_user)
{
	struct quic_conn *conn = user;

	(void)tp;
	(void)stream_user;
	return is_live(conn) ? verdict(conn->ops->stopped(conn->app, stream, code)) : 0;
}

static int extend_max_stream_data(ngtcp2_conn *tp, int64_t stream, uint64_t max, void *user,
				  void *stream_user)
{
	struct quic_conn *conn = user;

	(void)tp;
	(void)max;
	(void)stream_user;
	conn->is_urgent = true;
	return is_live(conn) ? verdict(conn->ops->unblocked(conn->app, stream)) : 0;
}

static int extend_max_streams(ngtcp2_conn *tp, uint64_t max, void *user)
{
	struct quic_conn *conn = user;

	(void)tp;
	(void)max;
	conn->is_urgent = true;
	return is_live(conn) ? verdict(conn->ops->more_streams(conn->app)) : 0;
}

static int recv_stateless_reset(ngtcp2_conn *tp, const ngtcp2_pkt_stateless_reset2 *reset,
				void *user)
{
	struct quic_conn *conn = user;

	(void)tp;
	(void)reset;
	conn->was_reset = true;
	return 0;
}

/* A server's: the client is where its packets come from (RFC 9000 section 8.2). */
static int path_validation(ngtcp2_conn *tp, uint32_t flags, const ngtcp2_path *path,
			   const ngtcp2_path *fallback, ngtcp2_path_validation_result result,
			   void *user)
{
	struct quic_conn *conn = user;
	struct quic_path now;

	(void)flags;
	(void)fallback;
	if (!ngtcp2_conn_is_server(tp) || !is_live(conn) ||
	    result != NGTCP2_PATH_VALIDATION_RESULT_SUCCESS)
		return 0;
	quic_conn_take_path(conn, path, &now);
	quic_conn_note_home(conn, &now);
	if (conn->ops->moved)
		conn->ops->moved(conn->app, &now);
	return 0;
}

const ngtcp2_callbacks quic_callbacks = {
	.client_initial = ngtcp2_crypto_client_initial_cb,
	.recv_client_initial = ngtcp2_crypto_recv_client_initial_cb,
	.recv_crypto_data = quic_recv_crypto_data,
	.handshake_completed = handshake_completed,
	.encrypt = ngtcp2_crypto_encrypt_cb,
	.decrypt = ngtcp2_crypto_decrypt_cb,
	.hp_mask = ngtcp2_crypto_hp_mask_cb,
	.recv_stream_data = recv_stream_data,
	.acked_stream_data_offset = acked_stream_data,
	.stream_close = stream_close,
	.recv_stateless_reset2 = recv_stateless_reset,
	.recv_retry = ngtcp2_crypto_recv_retry_cb,
	.extend_max_local_streams_bidi = extend_max_streams,
	.rand = random_bytes,
	.get_new_connection_id2 = new_connection_id,
	.remove_connection_id = remove_connection_id,
	.update_key = ngtcp2_crypto_update_key_cb,
	.stream_reset = stream_reset,
	.extend_max_stream_data = extend_max_stream_data,
	.delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb,
	.delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb,
	.stream_stop_sending = stop_sending,
	.version_negotiation = ngtcp2_crypto_version_negotiation_cb,
	.recv_rx_key = rx_key,
	.recv_tx_key = tx_key,
	.path_validation = path_validation,
	.get_path_challenge_data2 = ngtcp2_crypto_get_path_challenge_data2_cb,
};
