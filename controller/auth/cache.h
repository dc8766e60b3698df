/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a login has given, kept between processes in a file that only the user can read: the tokens,
 * when they end by this machine's clock, and where the issuer does what, so that renewing them is
 * one request. A file that is damaged, or from another time, is as good as none.
 *
 * All berth processes of a user share it: whoever renews tokens holds the lock, and looks into the
 * file again when it has got it, so that of many processes one asks the issuer. Issuers that give
 * each refresh token once would otherwise take two at a time for a theft.
 */

#include "controller/auth/oidc.h"

/* How long somebody may hold the lock before others give up: longer than a request may take. */
#define CACHE_LOCK_MS 90000

struct cached {
	struct oidc_issuer at;
	struct oidc_tokens tokens; /* access is NULL when there are none */
	char grant[OIDC_WORD_MAX]; /* that they came by */
	uint64_t obtained_s;	   /* seconds since the epoch */
	uint64_t ends_s;	   /* 0: not known */
	uint64_t refresh_ends_s;   /* the same */
};

void cached_finish(struct cached *cached);
DEFINE_CLEANUP_VALUE(struct cached, cached_finish)

/* Empty when there is no such file, or it is of no use. Fails when it cannot be read. */
int cache_read(const char *path, struct cached *ret, struct err *err) attr_must_use;
int cache_write(const char *path, const struct cached *cached, struct err *err) attr_must_use;

/* The text of such a file; empty for any other text. */
void cache_parse(struct span text, struct cached *ret);

/* Waits until nobody else holds the lock of this file; close *ret to let it go. */
int cache_lock(const char *path, int *ret, struct err *err) attr_must_use;

/* Tokens that were got just now. */
void cached_take(struct cached *cached, struct oidc_tokens *tokens, uint64_t now_s);

/*
 * Whether the access token is good for a request now. early: it is renewed a while before it ends,
 * which is a fifth of its life, at most a minute. A clock that was set back makes it bad.
 */
bool cached_is_good(const struct cached *cached, uint64_t now_s, bool early);
