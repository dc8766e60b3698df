/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Whom a relay admits: a file with one line a token.
 *
 *	# name  hash of the token  limits
 *	alice sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 jobs=9
 *	ci    sha256:60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752 rate=100
 *
 * Limits are expires=YYYY-MM-DD, jobs=N, clients=N and rate=N. expires is the last day (UTC) on
 * which the token is good; jobs and clients are how many registrations there may be at once; rate
 * is in Mbit/s, of all that its registrations send together. What is not given is not limited. The
 * file holds no secret: who reads it cannot register.
 *
 * Loaded again, the table keeps what it counts: a user is who has the same name. Whoever is not in
 * the file any more, or has another token, or expired, is_good() no more; his legs are the caller's
 * to drop, and the user is freed with the last of them.
 */

#include <stdbool.h>

#include "init/base/err.h"
#include "init/base/span.h"
#include "tunnel/crypto/sha256.h"
#include "tunnel/wire/relay.h"

#define ADMIT_USERS_MAX 10000
#define ADMIT_NAME_MAX 64
#define ADMIT_FILE_MAX (4 * 1024 * 1024)

struct admit;

struct admit_user {
	struct admit_user *next;
	char name[ADMIT_NAME_MAX + 1];
	uint8_t hash[SHA256_LEN];
	uint64_t expires;   /* seconds since the epoch; UINT64_MAX: never */
	size_t max[2];	    /* registrations by role; SIZE_MAX: any number */
	uint64_t rate;	    /* bytes a second; 0: unlimited */
	size_t count[2];    /* registrations that there are */
	uint64_t allowance; /* bytes that may be sent now */
	uint64_t filled_at;
	uint64_t bytes, dropped; /* that were forwarded, and that were over the rate */
	bool is_gone;		 /* not in the file any more */
};

struct admit *admit_new(void) attr_must_use;
/* Nobody may be registered. */
struct admit *admit_free(struct admit *admit);
DEFINE_CLEANUP(struct admit, admit_free)

/* Takes a file in; on an error, which names the line, everything stays as it was. */
int admit_load(struct admit *admit, struct span text, struct err *err) attr_must_use;

/*
 * Whose token it is; takes as long for a wrong one as for a right one. NULL, and *ret_code: TOKEN
 * or EXPIRED. now_s is seconds since the epoch.
 */
struct admit_user *admit_find(const struct admit *admit, struct span token, uint64_t now_s,
			      enum relay_code *ret_code);
bool admit_is_good(const struct admit_user *user, uint64_t now_s);

/* One registration more; false: there are as many as there may be. */
bool admit_enter(struct admit_user *user, enum relay_role role) attr_must_use;
void admit_leave(struct admit *admit, struct admit_user *user, enum relay_role role);

/* Whether so many bytes may pass now (a token bucket of a tenth of a second); now in ns. */
bool admit_spend(struct admit_user *user, size_t bytes, uint64_t now);

struct admit_user *admit_first(const struct admit *admit);
size_t admit_count(const struct admit *admit);

/* The line of a token, without limits. */
#define ADMIT_HASH_TEXT_MAX (7 + 2 * SHA256_LEN + 1)
void admit_hash_text(struct span token, char out[ADMIT_HASH_TEXT_MAX]);
