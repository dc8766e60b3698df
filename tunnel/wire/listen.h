/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The body of a `berth-listen` stream: the job listens as long as the stream lives. Capsules (RFC
 * 9297 section 3.2) in both directions; strings are a varint length and bytes.
 *
 *	type    direction      value
 *	0x2b20  to the job     LISTEN { kind, address (string), port }
 *	0x2b21  to the job     REFUSE { id }
 *	0x2b28  from the job   LISTENING { address (string), port }
 *	0x2b29  from the job   ACCEPTED { id, originator (string), port }
 *
 * LISTEN is the first capsule, and only the first. Its kind is
 *
 *	0  TCP: address is "localhost", "" for every address, or an address; port 0 lets the job
 *	   choose one
 *	1  a Unix socket: address is its path, port 0
 *	2  a Unix socket in a directory of its own that nobody else may enter; address empty, port 0
 *
 * LISTENING says where: the port that was chosen, the path. Each connection is announced once, by
 * ACCEPTED, and is fetched with a request to /accept/{id}, or refused with REFUSE.
 */

#include <stdbool.h>

#include "init/base/buf.h"
#include "init/base/err.h"

#define LISTEN_ADDRESS_MAX 255 /* bytes of an address or path */
#define LISTEN_VALUE_MAX 512   /* bytes of any of these capsules' values */

enum listen_capsule {
	LISTEN_LISTEN = 0x2b20,
	LISTEN_REFUSE = 0x2b21,
	LISTEN_LISTENING = 0x2b28,
	LISTEN_ACCEPTED = 0x2b29,
};

enum listen_kind { LISTEN_TCP, LISTEN_UNIX, LISTEN_PRIVATE };

/* Spans point into the capsule; an address has no NUL in it. */
struct listen_start {
	enum listen_kind kind;
	struct span address;
	uint16_t port;
};

/* Where the job listens, or where a connection came from. */
struct listen_address {
	struct span address;
	uint16_t port;
};

int listen_start_parse(struct span value, struct listen_start *ret, struct err *err) attr_must_use;
int listen_refuse_parse(struct span value, uint64_t *ret_id, struct err *err) attr_must_use;
int listen_listening_parse(struct span value, struct listen_address *ret, struct err *err)
	attr_must_use;
int listen_accepted_parse(struct span value, uint64_t *ret_id, struct listen_address *ret,
			  struct err *err) attr_must_use;

/* Each appends the whole capsule; false when the buffer's maximum is in the way. */
bool listen_start_format(const struct listen_start *start, struct buf *b) attr_must_use;
bool listen_refuse_format(uint64_t id, struct buf *b) attr_must_use;
bool listen_listening_format(const struct listen_address *at, struct buf *b) attr_must_use;
bool listen_accepted_format(uint64_t id, const struct listen_address *from, struct buf *b)
	attr_must_use;
