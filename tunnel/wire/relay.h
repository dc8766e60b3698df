/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What an endpoint (a job, or a workstation) and a relay say to each other: capsules (RFC 9297
 * section 3.2) on one stream, over HTTP/3 or over TLS on TCP. Numbers are varints; a string is a
 * varint length and bytes; an address is one byte 4 or 6, 4 or 16 bytes, and 2 bytes of port.
 *
 *	type    direction    value
 *	0x00    both         DATAGRAM { one packet of an inner connection }, only over TCP
 *	0x2b30  to relay     HELLO { role, tag (8), id (32), key (32) and signature (64) of a job
 *	                     only, token (string) }
 *	0x2b31  to relay     PING { 8 bytes }
 *	0x2b38  from relay   WELCOME { observed address, second address, keep_alive_ms }
 *	0x2b39  from relay   OBSERVED { address }
 *	0x2b3a  from relay   PEER { tag (8), here (0 or 1) }
 *	0x2b3b  from relay   REFUSED { code, retry_ms, text (string) }
 *	0x2b3c  from relay   DRAIN { retry_ms }
 *	0x2b3d  from relay   PONG { 8 bytes }
 *	0x2b3e  from relay   CHALLENGE { 32 random bytes }
 *
 * An endpoint id is the SHA-256 of a rank's public key. A job says its own and proves it: key is
 * the one that the id is made of, and signs what relay_signed() builds, which is bound to this one
 * connection. A client names the id that it wants, and proves nothing to the relay: the job will
 * ask it for its key, end to end.
 *
 * Parsers take the value of one capsule, refuse what is cut short and what is left over, and lend
 * spans that point into it. Formatters append the whole capsule; false when the buffer's maximum is
 * in the way.
 */

#include <stdbool.h>

#include "init/base/buf.h"
#include "init/base/err.h"

#define RELAY_TAG_LEN 8
#define RELAY_ID_LEN 32
#define RELAY_KEY_LEN 32
#define RELAY_SIGNATURE_LEN 64
#define RELAY_BINDING_LEN 32
#define RELAY_PING_LEN 8

#define RELAY_TOKEN_MAX 128 /* bytes of a token */
#define RELAY_TEXT_MAX 255  /* bytes of a reason */
#define RELAY_VALUE_MAX 512 /* bytes of a value, but for DATAGRAM */
/* The largest packet that goes into DATAGRAM: QUIC's of this program have at most 16000 bytes. */
#define RELAY_DATAGRAM_MAX 16384
#define RELAY_MS_MAX UINT32_MAX /* the longest time that a capsule tells */

/* The request that opens the stream: `:protocol` or Upgrade, and the path. */
#define RELAY_PROTOCOL "berth-relay"
#define RELAY_PATH "/relay"
#define RELAY_EXPORT_LABEL "relay" /* of quic_conn_export(): the binding of a HELLO */

enum relay_capsule {
	RELAY_DATAGRAM = 0x00,
	RELAY_HELLO = 0x2b30,
	RELAY_PING = 0x2b31,
	RELAY_WELCOME = 0x2b38,
	RELAY_OBSERVED = 0x2b39,
	RELAY_PEER = 0x2b3a,
	RELAY_REFUSED = 0x2b3b,
	RELAY_DRAIN = 0x2b3c,
	RELAY_PONG = 0x2b3d,
	RELAY_CHALLENGE = 0x2b3e,
};

enum relay_role { RELAY_JOB, RELAY_CLIENT };

/* Why a relay refuses: number, symbol, words. Numbers are the wire's and never change. */
#define RELAY_CODES(X)                                                  \
	X(1, TOKEN, "the relay does not know this token")               \
	X(2, EXPIRED, "the token has expired")                          \
	X(3, SIGNATURE, "the signature does not prove the endpoint id") \
	X(4, TAG_TAKEN, "another client has this tag")                  \
	X(5, LIMIT, "the token's limit is reached")                     \
	X(6, FULL, "the relay is full")                                 \
	X(7, DRAINING, "the relay is shutting down")                    \
	X(8, REPLACED, "this endpoint registered again")                \
	X(9, PROTOCOL, "the relay did not understand")                  \
	X(10, TOO_OFTEN, "too many attempts from this address")

enum relay_code {
#define X(number, symbol, words) RELAY_CODE_##symbol = number,
	RELAY_CODES(X)
#undef X
};

/* The words of a code; those of RELAY_CODE_PROTOCOL for a number that is none. */
const char *relay_code_text(uint64_t code);
/* What kind of error being refused with it is: ERR_DENIED, ERR_LIMIT, ERR_UNAVAILABLE... */
enum err_kind relay_code_kind(uint64_t code);

/* All-zero: no address. bytes is in network order, the port is not. */
struct relay_address {
	uint8_t family; /* 4, 6, or 0: none */
	uint8_t bytes[16];
	uint16_t port;
};

bool relay_address_equal(const struct relay_address *a, const struct relay_address *b);
/* For other capsules that have addresses; as value.h. One that is none is 0.0.0.0 with port 0. */
int relay_address_read(struct span *s, struct relay_address *ret, struct err *err, const char *what)
	attr_must_use;
bool relay_address_append(struct buf *b, const struct relay_address *address) attr_must_use;

/* Key and signature are a job's only; a client's are all zero and are not sent. */
struct relay_hello {
	enum relay_role role;
	uint8_t tag[RELAY_TAG_LEN];
	uint8_t id[RELAY_ID_LEN];
	uint8_t key[RELAY_KEY_LEN];
	uint8_t signature[RELAY_SIGNATURE_LEN];
	struct span token;
};

struct relay_welcome {
	struct relay_address observed;
	struct relay_address second; /* another UDP address of the relay; port 0: none */
	uint32_t keep_alive_ms;	     /* how often to send something */
};

struct relay_peer {
	uint8_t tag[RELAY_TAG_LEN];
	bool is_here;
};

struct relay_refused {
	uint64_t code;
	uint32_t retry_ms; /* 0: do not */
	struct span text;
};

int relay_hello_parse(struct span value, struct relay_hello *ret, struct err *err) attr_must_use;
int relay_welcome_parse(struct span value, struct relay_welcome *ret, struct err *err)
	attr_must_use;
int relay_observed_parse(struct span value, struct relay_address *ret, struct err *err)
	attr_must_use;
int relay_peer_parse(struct span value, struct relay_peer *ret, struct err *err) attr_must_use;
int relay_refused_parse(struct span value, struct relay_refused *ret, struct err *err)
	attr_must_use;
int relay_drain_parse(struct span value, uint32_t *ret_retry_ms, struct err *err) attr_must_use;
/* PING and PONG. */
int relay_ping_parse(struct span value, uint8_t ret[RELAY_PING_LEN], struct err *err) attr_must_use;
int relay_challenge_parse(struct span value, uint8_t ret[RELAY_BINDING_LEN], struct err *err)
	attr_must_use;

bool relay_hello_format(const struct relay_hello *hello, struct buf *b) attr_must_use;
bool relay_welcome_format(const struct relay_welcome *welcome, struct buf *b) attr_must_use;
bool relay_observed_format(const struct relay_address *address, struct buf *b) attr_must_use;
bool relay_peer_format(const struct relay_peer *peer, struct buf *b) attr_must_use;
bool relay_refused_format(const struct relay_refused *refused, struct buf *b) attr_must_use;
bool relay_drain_format(uint32_t retry_ms, struct buf *b) attr_must_use;
/* type is RELAY_PING or RELAY_PONG. */
bool relay_ping_format(enum relay_capsule type, const uint8_t bytes[RELAY_PING_LEN], struct buf *b)
	attr_must_use;
bool relay_challenge_format(const uint8_t bytes[RELAY_BINDING_LEN], struct buf *b) attr_must_use;

/*
 * What a job signs (Ed25519): "berth relay hello", a NUL, the binding, and role, tag and id of the
 * HELLO. The binding is quic_conn_export(RELAY_EXPORT_LABEL) or the same of TLS over TCP; behind a
 * proxy that ends TLS, the bytes of CHALLENGE.
 */
#define RELAY_SIGNED_LEN (18 + RELAY_BINDING_LEN + 1 + RELAY_TAG_LEN + RELAY_ID_LEN)
void relay_signed(const uint8_t binding[RELAY_BINDING_LEN], const struct relay_hello *hello,
		  uint8_t ret[RELAY_SIGNED_LEN]);
