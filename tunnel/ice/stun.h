/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What connectivity checks need of STUN (RFC 8489) and of ICE's attributes in it (RFC 8445 section
 * 16): Binding requests, indications, responses and errors. Bytes in, a value out, and back.
 *
 *	if (stun_is(packet) && stun_parse(packet, &message, &err) == 0 &&
 *	    stun_verify(&message, STUN_SHA256, key))
 *		...message is from whoever has the key
 *
 * STUN shares a socket with QUIC, and the first byte tells which is which (RFC 9443): 0 to 3 is
 * STUN, and QUIC's fixed bit makes every QUIC packet 64 or more. So that bit is never greased
 * (RFC 9287).
 *
 * A message with FINGERPRINT has a right one, or it is refused. What comes after an integrity
 * attribute is not protected by it and is skipped, but for a second integrity attribute and
 * FINGERPRINT (RFC 8489 section 14.5). Of an attribute that comes twice the first counts.
 * Attributes that may be skipped when they are not known are; the first of the others is told, for
 * an answer with error 420.
 */

#include <stdbool.h>

#include "init/base/buf.h"
#include "init/base/err.h"
#include "tunnel/quic/conn.h"

#define STUN_TRANSACTION_LEN 12
/* What fits into the smallest packet that IPv4 promises (RFC 8489 section 6.1). */
#define STUN_MESSAGE_MAX 548
#define STUN_USERNAME_MAX 128

enum stun_class { STUN_REQUEST, STUN_INDICATION, STUN_SUCCESS, STUN_ERROR };

enum stun_role { STUN_NO_ROLE, STUN_CONTROLLED, STUN_CONTROLLING };

/* MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256. */
enum stun_integrity { STUN_SHA1, STUN_SHA256, STUN_INTEGRITY_COUNT };

enum stun_error {
	STUN_BAD_REQUEST = 400,
	STUN_UNKNOWN_ATTRIBUTE = 420,
	STUN_ROLE_CONFLICT = 487,
};

struct stun_message {
	enum stun_class class;
	uint8_t transaction[STUN_TRANSACTION_LEN];
	struct span username; /* into the packet; empty: none */
	bool has_priority;
	uint32_t priority;
	bool use_candidate;
	enum stun_role role;
	uint64_t tie_breaker;	 /* with a role */
	struct quic_addr mapped; /* XOR-MAPPED-ADDRESS, of a success; len 0: none */
	unsigned int error;	 /* 300 to 699, of an error */
	/* Parsed: the first attribute that must be known and is not; 0: none. */
	uint16_t unknown;
	struct span packet; /* parsed: all of it */
	/* Parsed: where these attributes begin; 0: not there. */
	size_t integrity_at[STUN_INTEGRITY_COUNT];
	bool has_fingerprint;
};

/* Whether a datagram looks like STUN at all: two zero bits, the cookie, a length that fits. */
bool stun_is(struct span packet) attr_must_use;

/* ERR_PROTOCOL, or ERR_UNSUPPORTED for methods other than Binding. Spans point into the packet. */
int stun_parse(struct span packet, struct stun_message *ret, struct err *err) attr_must_use;

/* Whether a parsed message carries this integrity, made with this key. */
bool stun_verify(const struct stun_message *message, enum stun_integrity integrity, struct span key)
	attr_must_use;

/* Appends the whole message with integrity and FINGERPRINT; false when there is no room. */
bool stun_format(const struct stun_message *message, enum stun_integrity integrity, struct span key,
		 struct buf *b) attr_must_use;
