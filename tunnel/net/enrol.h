/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What an endpoint says to a relay and hears from it on one control stream (wire/relay.h), whatever
 * carries the stream: HELLO with the signature that proves a job, and the capsules that come back.
 * No I/O and no clock.
 */

#include "tunnel/crypto/key.h"
#include "tunnel/quic/tag.h"
#include "tunnel/wire/relay.h"

/* Who registers; everything is borrowed. */
struct enrol {
	enum relay_role role;
	const struct key_pair *key; /* a job's; a client: NULL */
	struct relay_id id;	    /* a job's own, or whom a client wants */
	struct quic_tag tag;
	const char *token;
};

/* Appends a HELLO that is bound to this connection. ERR_LIMIT: the token is too long. */
int enrol_hello(const struct enrol *enrol, const uint8_t binding[RELAY_BINDING_LEN], struct buf *b,
		struct err *err) attr_must_use;

struct enrol_ops {
	void (*welcome)(void *owner, const struct relay_welcome *welcome);
	void (*observed)(void *owner, const struct relay_address *observed);
	void (*peer)(void *owner, const struct quic_tag *tag, bool is_here);
	/* In words with the relay's own; retry_ms 0: not to be tried again. The stream ends. */
	void (*refused)(void *owner, const struct err *why, uint32_t retry_ms);
	/* The relay ends soon; to come back after so long. */
	void (*drain)(void *owner, uint32_t retry_ms);
	void (*pong)(void *owner, const uint8_t bytes[RELAY_PING_LEN]);
	/* The binding to say HELLO with, instead of the connection's. */
	void (*challenge)(void *owner, const uint8_t binding[RELAY_BINDING_LEN]);
};

/*
 * One capsule, whole; a type that is not known is ignored (RFC 9297 section 3.2). Members of ops
 * that are NULL ignore theirs. -1: the relay does not keep to the protocol.
 */
int enrol_hear(const struct enrol_ops *ops, void *owner, uint64_t type, struct span value,
	       struct err *err) attr_must_use;
