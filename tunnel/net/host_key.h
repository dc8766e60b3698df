/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The user's SSH host key: what `berth-tunnel ssh` shows to the ssh process that started it, and
 * the known_hosts line that pins it. One per user, made once, 0600; the known_hosts file can always
 * be made again from it.
 *
 *	host key file   {"version": 1, "key": BASE64(32-byte Ed25519 seed)}
 *	known_hosts     berth ssh-ed25519 AAAA...
 */

#include "init/base/buf.h"
#include "init/base/err.h"
#include "tunnel/crypto/key.h"

int host_key_parse(struct span text, struct key_pair *ret, struct err *err) attr_must_use;
int host_key_read(const char *path, struct key_pair *ret, struct err *err) attr_must_use;
bool host_key_format(const struct key_pair *key, struct buf *b) attr_must_use;

/*
 * The file's key; the file is made when there is none. Of several programs that do so at once all
 * get one key.
 */
int host_key_ensure(const char *path, struct key_pair *ret, struct err *err) attr_must_use;

/* The line of sshd(8) SSH_KNOWN_HOSTS FILE FORMAT, newline included. */
bool host_key_known_hosts(const struct key_public *key, const char *alias, struct buf *b)
	attr_must_use;
