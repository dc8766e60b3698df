/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * TLS 1.3 for QUIC between two parties that know each other's key: both present an Ed25519 raw
 * public key (RFC 7250) and each accepts exactly one. There are no certificates, no names and no
 * trust on first use. While a key is replaced, a server accepts two.
 *
 *	cleanup(tls_context_free) struct tls_context *tls =
 *		tls_context_new(TLS_CLIENT, &my_key, &job_key, err);
 *
 * A context is made once a process (serve) or once a dial (ssh) and borrowed by its connections; it
 * must outlive them. The peer's key is compared in OpenSSL's verify callback, which ends the
 * handshake with an alert, and once more by tls_session_check() when the handshake is complete,
 * because a callback that is not called must not let anyone in.
 *
 * Tickets (RFC 8446 section 2.2) let a client that was here before send its first request with its
 * ClientHello. A server gives four after a full handshake and one after a resumed one, which a
 * command that takes less than a round trip leaves too early to get. Each works once: a ticket is
 * no more than the name of a session in the server's memory, and taking the session up removes it
 * there (OpenSSL's protection against replays, RFC 8446 section 8.1). Tickets therefore die with
 * the server, and it keeps at most TLS_TICKETS_KEPT, the oldest give way.
 *
 * A resumed handshake does not call the verify callback. The key that was proven when the ticket
 * was given is part of the session; it is compared with the accepted one before early data is
 * accepted, and by tls_session_check() as always.
 */

#include "tunnel/crypto/key.h"

#define TLS_ALPN "h3"
#define TLS_ALPN_HTTP1 "http/1.1"
/*
 * The server name we send (RFC 6066 section 3): a constant, so that it tells an onlooker nothing.
 */
#define TLS_SERVER_NAME "berth"

#define TLS_TICKET_MAX 8192 /* bytes of a session as a client stores it */
#define TLS_TICKETS_KEPT 128
#define TLS_TICKET_LIFETIME_S 86400

enum tls_role { TLS_CLIENT, TLS_SERVER };

struct tls_context;
struct ssl_st;

/* Both keys are copied. */
struct tls_context *tls_context_new(enum tls_role role, const struct key_pair *own,
				    const struct key_public *peer, struct err *err) attr_must_use;
/*
 * TLS between an endpoint and a relay, where only the relay has a key: it asks for none, and gives
 * no tickets, since whoever is there speaks first anyway. alpn is TLS_ALPN for QUIC and
 * TLS_ALPN_HTTP1 over TCP, where the caller moves the bytes through memory BIOs. The first is
 * TLS_SERVER, the second TLS_CLIENT.
 */
struct tls_context *tls_context_new_relay(const struct key_pair *own, const char *alpn,
					  struct err *err) attr_must_use;
struct tls_context *tls_context_new_to_relay(const struct key_public *relay, const char *alpn,
					     struct err *err) attr_must_use;
/*
 * TLS over TCP to a server that proves a name by a certificate: a proxy that stands before a relay.
 * The authorities are those of a file (PEM), or with TLS_CA_SYSTEM those that this system trusts.
 * What is proven is the proxy, not the relay.
 */
#define TLS_CA_SYSTEM "system"
struct tls_context *tls_context_new_to_web(const char *ca, struct err *err) attr_must_use;
struct tls_context *tls_context_free(struct tls_context *tls);
DEFINE_CLEANUP(struct tls_context, tls_context_free)

/*
 * From now on these keys of the peer are accepted, and no others. Connections that are open stay;
 * tickets that were given to another key are worth nothing.
 */
void tls_context_set_peers(struct tls_context *tls, const struct key_set *peers);
bool tls_context_accepts(const struct tls_context *tls, const struct key_public *peer);

enum tls_role tls_context_role(const struct tls_context *tls);
/* One of those that are for relays. */
bool tls_context_is_relay(const struct tls_context *tls);
bool tls_context_is_web(const struct tls_context *tls);

/* An SSL object with our key, for one connection; NULL when OpenSSL refuses. SSL_free() it. */
struct ssl_st *tls_session_new(const struct tls_context *tls) attr_must_use;

/*
 * A session of tls_context_new_to_web(), before its handshake: the name or the address that the
 * certificate has to be for. -1 and *err when the certificate was not accepted.
 */
bool tls_session_expect(struct ssl_st *ssl, const char *host) attr_must_use;
int tls_session_web_error(const struct ssl_st *ssl, struct err *err);

/*
 * A client's session: told() is called for each ticket that comes, with what tls_session_resume()
 * takes; borrowed, and secret. Tickets longer than TLS_TICKET_MAX are not told.
 */
struct tls_tickets {
	void (*told)(void *user, struct span session);
	void *user;
};
bool tls_session_on_ticket(struct ssl_st *ssl, const struct tls_tickets *tickets) attr_must_use;

/*
 * A client's session, before its first packet: resumes, and sends early data. False when the bytes
 * are no session that can, or one with another peer; then the handshake is a full one.
 */
bool tls_session_resume(const struct tls_context *tls, struct ssl_st *ssl, struct span session)
	attr_must_use;
/* After the handshake: whether the server took the early data. */
bool tls_session_is_early(const struct ssl_st *ssl);

/*
 * SSL_free(). keep: the handshake succeeded, so that the session may be resumed; otherwise OpenSSL
 * forgets it.
 */
void tls_session_free(struct ssl_st *ssl, bool keep);

/*
 * After the handshake, and before early data is looked at: 0 when the peer proved the expected key,
 * -1 and ERR_DENIED otherwise.
 */
int tls_session_check(const struct tls_context *tls, struct ssl_st *ssl, struct err *err)
	attr_must_use;
/* The key that the peer proved, or that it had proven when the ticket was given. */
bool tls_session_peer(const struct ssl_st *ssl, struct key_public *ret) attr_must_use;

/*
 * After the handshake: what both sides have and nobody else, the TLS exporter (RFC 8446 section
 * 7.5) "EXPORTER-berth" without a context. Secrets for a purpose are key_derive()d from it.
 */
int tls_session_export(struct ssl_st *ssl, struct secret *ret, struct err *err) attr_must_use;

/*
 * Why a handshake failed, in words for the user. alert is the TLS alert we sent, or that the peer
 * sent (is_ours false), as RFC 8446 section 6 numbers it.
 */
int tls_alert_error(enum tls_role role, bool is_ours, uint8_t alert, struct err *err);
/* The same in the words that suit the context: the peer may be a relay. */
int tls_context_alert_error(const struct tls_context *tls, bool is_ours, uint8_t alert,
			    struct err *err);
