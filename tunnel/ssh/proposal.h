/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * SSH_MSG_KEXINIT (RFC 4253 section 7.1): what we propose, and what follows from the client's
 * proposal. The client's order decides.
 */

#include <stdbool.h>

#include "init/base/buf.h"
#include "init/base/err.h"

#define PROPOSAL_MAX (32 * 1024) /* longest KEXINIT that is accepted */

struct cipher_kind;
struct exchange;

struct proposal {
	const struct exchange *exchange;
	const struct cipher_kind *in, *out; /* client to server, server to client */
	bool wrong_guess;		    /* a packet follows, and it is to be ignored */
	bool strict;			    /* kex-strict-c-v00@openssh.com was offered */
	bool ext_info;			    /* ext-info-c was offered (RFC 8308) */
};

/*
 * Appends our KEXINIT, message number included. first: it is the first one of the connection, the
 * only place where strict key exchange is announced.
 */
int proposal_format(bool first, struct buf *b, struct err *err) attr_must_use;

/* Reads the client's KEXINIT, message number included. */
int proposal_choose(struct span payload, struct proposal *ret, struct err *err) attr_must_use;
