/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * TLS 1.3 for QUIC between two parties that know each other's key: both present an Ed25519 raw
 * public key (RFC 7250) and each accepts exactly one. There are no certificates, no names and no
 * trust on first use.
 *
 *	cleanup(tls_context_free) struct tls_context *tls =
 *		tls_context_new(TLS_CLIENT, &my_key, &job_key, err);
 *
 * A context is made once a process (serve) or once a dial (ssh) and borrowed by its connections; it
 * must outlive them. The peer's key is compared in OpenSSL's verify callback, which ends the
 * handshake with an alert, and once more by tls_session_check() when the handshake is complete,
 * because a callback that is not called must not let anyone in.
 *
 * Tickets and 0-RTT are off. A resumed handshake does not call the verify callback, so that whoever
 * turns them on keeps tls_session_check() on that path.
 */

#include "tunnel/crypto/key.h"

#define TLS_ALPN "h3"
/*
 * The server name we send (RFC 6066 section 3): a constant, so that it tells an onlooker nothing.
 */
#define TLS_SERVER_NAME "berth"

enum tls_role { TLS_CLIENT, TLS_SERVER };

struct tls_context;
struct ssl_st;

/* Both keys are copied. */
struct tls_context *tls_context_new(enum tls_role role, const struct key_pair *own,
				    const struct key_public *peer, struct err *err) attr_must_use;
struct tls_context *tls_context_free(struct tls_context *tls);
DEFINE_CLEANUP(struct tls_context, tls_context_free)

enum tls_role tls_context_role(const struct tls_context *tls);

/* An SSL object with our key, for one connection; NULL when OpenSSL refuses. SSL_free() it. */
struct ssl_st *tls_session_new(const struct tls_context *tls) attr_must_use;

/* After the handshake: 0 when the peer proved the expected key, -1 and ERR_DENIED otherwise. */
int tls_session_check(const struct tls_context *tls, struct ssl_st *ssl, struct err *err)
	attr_must_use;

/*
 * Why a handshake failed, in words for the user. alert is the TLS alert we sent, or that the peer
 * sent (is_ours false), as RFC 8446 section 6 numbers it.
 */
int tls_alert_error(enum tls_role role, bool is_ours, uint8_t alert, struct err *err);
