/* SPDX-License-Identifier: MIT */
/* TLS contexts with raw public keys; see tls.h. */
#include "tunnel/crypto/tls.h"

#include <assert.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "init/base/alloc.h"
#include "tunnel/crypto/openssl.h"

/* AES-128-GCM first: 52 Gbit/s a core against 19 of ChaCha20 where the CPU has AES. */
#define CIPHERS "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
/*
 * The client sends a share of the first group: X25519MLKEM768 makes its hello span two datagrams.
 */
#define GROUPS "X25519MLKEM768:X25519"

struct tls_context {
	enum tls_role role;
	SSL_CTX *ctx;
	struct key_set peers;
	bool is_relay; /* only the server has a key */
	bool is_web;   /* and proves a name by a certificate instead */
	unsigned char alpn[16];
	unsigned int alpn_len; /* as on the wire: with the length in front */
};

#define EXPORTER "EXPORTER-berth"

struct tls_context *tls_context_free(struct tls_context *tls)
{
	if (!tls)
		return NULL;
	SSL_CTX_free(tls->ctx);
	free(tls);
	return NULL;
}

enum tls_role tls_context_role(const struct tls_context *tls)
{
	return tls->role;
}

static bool read_key(const EVP_PKEY *key, struct key_public *ret)
{
	size_t len = sizeof(ret->bytes);

	return key && EVP_PKEY_is_a(key, "ED25519") == 1 &&
	       EVP_PKEY_get_raw_public_key(key, ret->bytes, &len) == 1 && len == KEY_PUBLIC_LEN;
}

static bool is_accepted(const struct tls_context *tls, const EVP_PKEY *key)
{
	struct key_public public;

	return read_key(key, &public) && tls_context_accepts(tls, &public);
}

/*
 * Replaces the whole verification of the peer: a raw public key has no chain, so that all there is
 * to check is that it is the one key. 0 ends the handshake with bad_certificate.
 */
static int verify_peer(X509_STORE_CTX *store, void *arg)
{
	const struct tls_context *tls = arg;
	EVP_PKEY *key = X509_STORE_CTX_get0_rpk(store);

	if (is_accepted(tls, key)) {
		X509_STORE_CTX_set_error(store, X509_V_OK);
		return 1;
	}
	X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
	return 0;
}

/* Where systems other than the one that OpenSSL was built for keep whom they trust. */
static const char *const authorities[] = { "/etc/ssl/certs/ca-certificates.crt",
					   "/etc/pki/tls/certs/ca-bundle.crt",
					   "/etc/ssl/ca-bundle.pem" };

static bool configure_web(SSL_CTX *ctx, const char *ca)
{
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	/* Many a web server knows no later version; what is inside has TLS 1.3 of its own. */
	if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1)
		return false;
	if (strcmp(ca, TLS_CA_SYSTEM) != 0)
		return SSL_CTX_load_verify_file(ctx, ca) == 1;
	(void)SSL_CTX_set_default_verify_paths(ctx);
	for (size_t i = 0; i < ARRAY_LEN(authorities); i++) {
		if (SSL_CTX_load_verify_file(ctx, authorities[i]) == 1)
			break;
	}
	ERR_clear_error();
	return true;
}

static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
		       const unsigned char *in, unsigned int in_len, void *arg)
{
	const struct tls_context *tls = arg;
	unsigned char *selected = NULL;

	(void)ssl;
	if (SSL_select_next_proto(&selected, out_len, tls->alpn, tls->alpn_len, in, in_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = selected;
	return SSL_TLSEXT_ERR_OK;
}

/* Where a client's session keeps its struct tls_tickets. */
static int tickets_index(void)
{
	static int index = -1;

	if (index < 0)
		index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
	return index;
}

static int new_session(SSL *ssl, SSL_SESSION *session)
{
	const struct tls_tickets *tickets = SSL_get_ex_data(ssl, tickets_index());
	int len = i2d_SSL_SESSION(session, NULL);
	uint8_t bytes[TLS_TICKET_MAX];
	unsigned char *at = bytes;

	if (!tickets || len <= 0 || len > TLS_TICKET_MAX ||
	    SSL_SESSION_get_max_early_data(session) != UINT32_MAX)
		return 0;
	if (i2d_SSL_SESSION(session, &at) == len)
		tickets->told(tickets->user, span_of(bytes, (size_t)len));
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return 0; /* OpenSSL keeps its reference */
}

static bool is_peer(const struct tls_context *tls, const SSL *ssl)
{
	EVP_PKEY *key = SSL_get0_peer_rpk(ssl);

	/* A relay asks nobody for a key. */
	if (tls->is_relay && tls->role == TLS_SERVER)
		return true;
	return SSL_get_verify_result(ssl) == X509_V_OK && is_accepted(tls, key);
}

static int allow_early_data(SSL *ssl, void *arg)
{
	return is_peer(arg, ssl);
}

static bool configure_tickets(struct tls_context *tls)
{
	static const unsigned char id[] = "berth";
	SSL_CTX *ctx = tls->ctx;

	if (tls->role == TLS_CLIENT) {
		SSL_CTX_set_session_cache_mode(ctx,
					       SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
		SSL_CTX_sess_set_new_cb(ctx, new_session);
		return tickets_index() >= 0;
	}
	/* SSL_OP_NO_ANTI_REPLAY stays unset: that is what makes a ticket work once. */
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_SERVER);
	SSL_CTX_sess_set_cache_size(ctx, TLS_TICKETS_KEPT);
	SSL_CTX_set_timeout(ctx, TLS_TICKET_LIFETIME_S);
	SSL_CTX_set_allow_early_data_cb(ctx, allow_early_data, tls);
	return SSL_CTX_set_session_id_context(ctx, id, sizeof(id) - 1) == 1 &&
	       /* QUIC has its own limits for early data (RFC 9001 section 4.6.1). */
	       SSL_CTX_set_max_early_data(ctx, UINT32_MAX) == 1 &&
	       SSL_CTX_set_num_tickets(ctx, 4) == 1;
}

/* Who has no key presents none, and who expects none asks for none. */
static bool configure_keys(struct tls_context *tls, EVP_PKEY *own)
{
	static const unsigned char raw_key[] = { TLSEXT_cert_type_rpk };
	SSL_CTX *ctx = tls->ctx;

	if (tls->is_web)
		return true;
	if (tls->is_relay && tls->role == TLS_SERVER) {
		SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	} else {
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
		SSL_CTX_set_cert_verify_callback(ctx, verify_peer, tls);
	}
	return SSL_CTX_set1_server_cert_type(ctx, raw_key, sizeof(raw_key)) == 1 &&
	       (tls->is_relay ||
		SSL_CTX_set1_client_cert_type(ctx, raw_key, sizeof(raw_key)) == 1) &&
	       (!own || SSL_CTX_use_PrivateKey(ctx, own) == 1);
}

static bool configure_no_tickets(SSL_CTX *ctx)
{
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	return SSL_CTX_set_num_tickets(ctx, 0) == 1;
}

static bool configure(struct tls_context *tls, EVP_PKEY *own)
{
	SSL_CTX *ctx = tls->ctx;

	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
	if (tls->role == TLS_SERVER)
		SSL_CTX_set_alpn_select_cb(ctx, select_alpn, tls);
	/* SSL_CTX_set_alpn_protos() alone returns 0 for success. */
	else if (SSL_CTX_set_alpn_protos(ctx, tls->alpn, tls->alpn_len) != 0)
		return false;
	return SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) == 1 &&
	       SSL_CTX_set_ciphersuites(ctx, CIPHERS) == 1 &&
	       SSL_CTX_set1_groups_list(ctx, GROUPS) == 1 && configure_keys(tls, own) &&
	       (tls->is_relay ? configure_no_tickets(ctx) : configure_tickets(tls));
}

/* Takes tls, whose role, peers and kind are set; own may be NULL. */
static struct tls_context *finish_context(struct tls_context *made, const struct key_pair *own,
					  const char *alpn, struct err *err)
{
	cleanup(tls_context_free) struct tls_context *tls = made;
	cleanup(evp_pkey_free) EVP_PKEY *key = NULL;
	size_t len = strlen(alpn);

	assert(len < sizeof(tls->alpn));
	tls->alpn[0] = (unsigned char)len;
	memcpy(tls->alpn + 1, alpn, len);
	tls->alpn_len = (unsigned int)len + 1;
	if (own)
		key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, own->seed.bytes,
						   sizeof(own->seed.bytes));
	tls->ctx = SSL_CTX_new(tls->role == TLS_SERVER ? TLS_server_method() : TLS_client_method());
	if ((own && !key) || !tls->ctx || !configure(tls, key)) {
		err_from_openssl(err, "TLS context");
		return NULL;
	}
	return take_ptr(tls);
}

struct tls_context *tls_context_new(enum tls_role role, const struct key_pair *own,
				    const struct key_public *peer, struct err *err)
{
	struct tls_context *tls = new_zero(struct tls_context);

	tls->role = role;
	key_set_add(&tls->peers, peer);
	return finish_context(tls, own, TLS_ALPN, err);
}

struct tls_context *tls_context_new_relay(const struct key_pair *own, const char *alpn,
					  struct err *err)
{
	struct tls_context *tls = new_zero(struct tls_context);

	tls->role = TLS_SERVER;
	tls->is_relay = true;
	return finish_context(tls, own, alpn, err);
}

struct tls_context *tls_context_new_to_relay(const struct key_public *relay, const char *alpn,
					     struct err *err)
{
	struct tls_context *tls = new_zero(struct tls_context);

	tls->role = TLS_CLIENT;
	tls->is_relay = true;
	key_set_add(&tls->peers, relay);
	return finish_context(tls, NULL, alpn, err);
}

struct tls_context *tls_context_new_to_web(const char *ca, struct err *err)
{
	struct tls_context *tls = new_zero(struct tls_context);

	tls->role = TLS_CLIENT;
	tls->is_relay = tls->is_web = true;
	tls = finish_context(tls, NULL, TLS_ALPN_HTTP1, err);
	if (!tls || configure_web(tls->ctx, ca))
		return tls;
	err_from_openssl(err, ca);
	return tls_context_free(tls);
}

bool tls_context_is_web(const struct tls_context *tls)
{
	return tls->is_web;
}

bool tls_session_expect(SSL *ssl, const char *host)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);

	if (X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1)
		return SSL_set_tlsext_host_name(ssl, NULL) == 1;
	ERR_clear_error();
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(param, host, 0) == 1 &&
	       SSL_set_tlsext_host_name(ssl, host) == 1;
}

int tls_session_web_error(const SSL *ssl, struct err *err)
{
	return err_set(err, ERR_DENIED,
		       "its certificate is not accepted: %s: \"ca\" of the relay names the file "
		       "of the authority",
		       X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
}

bool tls_context_is_relay(const struct tls_context *tls)
{
	return tls->is_relay;
}

void tls_context_set_peers(struct tls_context *tls, const struct key_set *peers)
{
	tls->peers = *peers;
}

bool tls_context_accepts(const struct tls_context *tls, const struct key_public *peer)
{
	return key_set_has(&tls->peers, peer);
}

bool tls_session_peer(const SSL *ssl, struct key_public *ret)
{
	return read_key(SSL_get0_peer_rpk(ssl), ret);
}

SSL *tls_session_new(const struct tls_context *tls)
{
	cleanup(ssl_free) SSL *ssl = SSL_new(tls->ctx);

	if (!ssl)
		return NULL;
	if (tls->role == TLS_SERVER) {
		SSL_set_accept_state(ssl);
	} else {
		SSL_set_connect_state(ssl);
		if (SSL_set_tlsext_host_name(ssl, TLS_SERVER_NAME) != 1)
			return NULL;
	}
	return take_ptr(ssl);
}

static int refuse_key(enum tls_role role, struct err *err)
{
	if (role == TLS_CLIENT)
		return err_set(err, ERR_DENIED, "the job's key is not the expected one");
	return err_set(err, ERR_DENIED, "the client's key is not the expected one");
}

/* A relay's words about keys; it has no opinion on those of others. */
static int refuse_relay(bool is_ours, struct err *err)
{
	if (is_ours)
		return err_set(err, ERR_DENIED,
			       "the relay's key is not the expected one: compare it with what "
			       "`berth-tunnel relay key` printed there");
	return err_set(err, ERR_DENIED, "the other end does not accept the relay's key");
}

int tls_session_check(const struct tls_context *tls, SSL *ssl, struct err *err)
{
	if (tls->is_web && SSL_get0_peer_certificate(ssl) &&
	    SSL_get_verify_result(ssl) == X509_V_OK)
		return 0;
	if (tls->is_web)
		return tls_session_web_error(ssl, err);
	if (is_peer(tls, ssl))
		return 0;
	return tls->is_relay ? refuse_relay(true, err) : refuse_key(tls->role, err);
}

int tls_session_export(SSL *ssl, struct secret *ret, struct err *err)
{
	struct secret out;

	if (SSL_export_keying_material(ssl, out.bytes, sizeof(out.bytes), EXPORTER,
				       strlen(EXPORTER), NULL, 0, 0) != 1)
		return err_from_openssl(err, "TLS exporter");
	*ret = out;
	secret_finish(&out);
	return 0;
}

bool tls_session_on_ticket(SSL *ssl, const struct tls_tickets *tickets)
{
	/* OpenSSL's ex_data is not const, but only we look at it. */
	return SSL_set_ex_data(ssl, tickets_index(), (void *)(uintptr_t)tickets) == 1;
}

bool tls_session_resume(const struct tls_context *tls, SSL *ssl, struct span bytes)
{
	const unsigned char *at = bytes.ptr;
	SSL_SESSION *session = d2i_SSL_SESSION(NULL, &at, (long)MIN(bytes.len, TLS_TICKET_MAX));
	bool done = session && at == bytes.ptr + bytes.len &&
		    SSL_SESSION_get_protocol_version(session) == TLS1_3_VERSION &&
		    SSL_SESSION_get_max_early_data(session) == UINT32_MAX &&
		    SSL_SESSION_is_resumable(session) == 1;
	EVP_PKEY *key = done ? SSL_SESSION_get0_peer_rpk(session) : NULL;

	done = is_accepted(tls, key) && SSL_set_session(ssl, session) == 1;
	SSL_SESSION_free(session);
	ERR_clear_error();
	return done;
}

bool tls_session_is_early(const SSL *ssl)
{
	return SSL_get_early_data_status(ssl) == SSL_EARLY_DATA_ACCEPTED;
}

void tls_session_free(SSL *ssl, bool keep)
{
	/* Without this OpenSSL takes the connection for a broken one. */
	if (ssl && keep)
		SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(ssl);
}

/* Alerts that say that the key, not the protocol, was wrong (RFC 8446 section 6.2). */
static bool is_about_key(uint8_t alert)
{
	switch (alert) {
	case SSL_AD_BAD_CERTIFICATE:
	case SSL_AD_UNSUPPORTED_CERTIFICATE:
	case SSL_AD_CERTIFICATE_UNKNOWN:
	case SSL_AD_DECRYPT_ERROR: /* the signature does not fit the key */
	case SSL_AD_CERTIFICATE_REQUIRED:
		return true;
	default:
		return false;
	}
}

int tls_alert_error(enum tls_role role, bool is_ours, uint8_t alert, struct err *err)
{
	if (is_about_key(alert) && is_ours)
		return refuse_key(role, err);
	if (is_about_key(alert) && role == TLS_CLIENT)
		return err_set(err, ERR_DENIED, "the job does not accept this key");
	if (is_about_key(alert))
		return err_set(err, ERR_DENIED, "the client does not accept this job's key");
	if (alert == SSL_AD_NO_APPLICATION_PROTOCOL)
		return err_set(err, ERR_PROTOCOL, "the peer does not speak " TLS_ALPN);
	return err_set(err, ERR_PROTOCOL, "TLS handshake failed: %s",
		       SSL_alert_desc_string_long(alert));
}

int tls_context_alert_error(const struct tls_context *tls, bool is_ours, uint8_t alert,
			    struct err *err)
{
	if (tls->is_relay && is_about_key(alert))
		return refuse_relay(is_ours, err);
	return tls_alert_error(tls->role, is_ours, alert, err);
}
