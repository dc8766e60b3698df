/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Authorization code with a proof of possession (RFC 6749 section 4.1, RFC 7636, RFC 8252): what
 * the browser is sent to the issuer with, and what it comes back with. Pure but for the random
 * numbers.
 *
 * The verifier never leaves this process but to the issuer; the browser's address has only its
 * hash. The state says that the answer belongs to this login, and is compared in constant time.
 */

#include "controller/auth/oidc.h"
#include "init/base/buf.h"

/* 32 random bytes in the alphabet of RFC 4648 section 5, without padding, and a NUL. */
#define PKCE_WORD_SIZE 44
#define PKCE_CODE_MAX 4096

struct pkce {
	char verifier[PKCE_WORD_SIZE];
	char challenge[PKCE_WORD_SIZE];
	char state[PKCE_WORD_SIZE];
	char nonce[PKCE_WORD_SIZE]; /* of OpenID: some issuers insist on one */
};

int pkce_init(struct pkce *ret, struct err *err) attr_must_use;
void pkce_finish(struct pkce *pkce);
DEFINE_CLEANUP_VALUE(struct pkce, pkce_finish)

/* The challenge of a verifier (method S256). */
void pkce_challenge(const char *verifier, char ret[PKCE_WORD_SIZE]);

/* Appends the page that the browser is to open. */
struct pkce_page {
	const char *url; /* the issuer's authorization_endpoint */
	const char *client_id, *scopes, *redirect;
};

int pkce_make_page(const struct pkce *pkce, const struct pkce_page *page, struct buf *ret,
		   struct err *err) attr_must_use;

/*
 * Reads the query that the browser came back with. 1: code has the code. 0: it is not the answer to
 * this login (another state, or none), and says nothing. -1: the issuer, or the user there, said
 * no. issuer: what the answer has to name (RFC 9207), or NULL when issuers do not say it.
 */
int pkce_read_answer(const struct pkce *pkce, struct span query, const char *issuer,
		     char code[PKCE_CODE_MAX], struct err *err) attr_must_use;
