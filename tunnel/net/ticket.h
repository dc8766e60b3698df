/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A client's tickets on disk: what lets its next connection ask in the first flight (see
 * quic/conn.h). They lie in a directory beside the client file, CLIENT_FILE.tickets/RANK.N, 0600 in
 * a directory of 0700: who reads one can do for a day what who reads the client file can do for
 * ever, talk to the job.
 *
 *	{"version": 1, "started": SECONDS, "expires": SECONDS, "address": "ADDRESS:PORT",
 *	 "key": BASE64, "rtt_us": MICROSECONDS, "session": BASE64, "params": BASE64}
 *
 * A ticket works once. So it is taken by renaming it to a name that only the taker knows: of
 * several clients at once exactly one gets it. It is worth something only to the very process that
 * gave it, which `started` tells (endpoint.RANK.json has the same number), and to who proved the
 * same key then: a client file that got another key must not go on as its predecessor.
 */

#include "init/base/buf.h"
#include "tunnel/crypto/key.h"
#include "tunnel/net/addr.h"
#include "tunnel/quic/conn.h"

#define TICKETS_MAX 4 /* of a rank; further ones replace older ones */

struct ticket {
	double started;	  /* of the server that gave it, as in its endpoint file */
	uint64_t expires; /* wall clock, seconds */
	struct quic_addr remote;
	struct key_public key; /* which the client proved */
	uint64_t rtt_us;       /* a round trip there, measured; 0: not known */
	struct buf session, params;
};

void ticket_init(struct ticket *ticket);
void ticket_finish(struct ticket *ticket);
DEFINE_CLEANUP_VALUE(struct ticket, ticket_finish)

int ticket_parse(struct span text, struct ticket *ret, struct err *err) attr_must_use;
bool ticket_format(const struct ticket *ticket, struct buf *b) attr_must_use;

/* "CLIENT_FILE.tickets"; free() it. */
char *ticket_dir(const char *client_file) attr_must_use;

/*
 * Takes one that is of use to the owner of this key at the server that started then; what is of no
 * use to anybody is removed on the way. False: there is none, for whatever reason.
 */
bool ticket_take(const char *dir, unsigned int rank, double started, const struct key_public *key,
		 struct ticket *ret) attr_must_use;

/* Keeps one. A ticket is a convenience: who cannot keep it does without, and the log says why. */
void ticket_keep(const char *dir, unsigned int rank, const struct ticket *ticket);
