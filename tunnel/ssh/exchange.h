/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The key exchange methods, server side: from the client's public value make ours and the shared
 * secret.
 *
 *	mlkem768x25519-sha256                                 draft-ietf-sshm-mlkem-hybrid-kex
 *	curve25519-sha256, curve25519-sha256@libssh.org       RFC 8731
 *
 * All of them hash with SHA-256.
 */

#include "init/base/buf.h"
#include "init/base/err.h"

#define EXCHANGE_VALUE_MAX 2048 /* the longest public value, and the longest encoded secret */

struct exchange {
	const char *name;
	/*
	 * Appends our public value to *reply and the shared secret, encoded as the exchange hash
	 * and the key derivation take it (mpint or string), to *secret.
	 */
	int (*run)(struct span client, struct buf *reply, struct buf *secret, struct err *err);
};

/* By preference; ends with a NULL name. */
extern const struct exchange exchanges[];

const struct exchange *exchange_find(struct span name); /* NULL: not ours */
