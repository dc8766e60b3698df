/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What an OpenID issuer answers: its configuration (OpenID Connect Discovery 1.0 section 4, RFC
 * 8414), tokens (RFC 6749 section 5), the codes of a device (RFC 8628 section 3.2), and refusals.
 * Pure, no I/O: bytes in, checked values out.
 *
 * Whatever it says is foreign: addresses have to be such as secrets may be sent to (url.h), tokens
 * visible ASCII of limited length, times within limits, and texts for people come out printable.
 */

#include <stdbool.h>
#include <stdint.h>

#include "controller/auth/token.h"
#include "init/base/span.h"

#define OIDC_ANSWER_MAX ((size_t)256 * 1024)
#define OIDC_WORD_MAX 64
#define OIDC_TEXT_MAX 240
/* A token that says no end is taken for good until it is refused; none is for longer. */
#define OIDC_LIFETIME_MAX_S ((uint64_t)400 * 86400)

/* Where the issuer does what. Members that it has no address for are NULL. */
struct oidc_issuer {
	char *token_url;
	char *authorize_url;
	char *device_url;
	char *revoke_url;
	char *userinfo_url;
	bool takes_basic;  /* the client's secret in the header, not in the form */
	bool sends_issuer; /* with a code (RFC 9207) */
};

void oidc_issuer_finish(struct oidc_issuer *issuer);
DEFINE_CLEANUP_VALUE(struct oidc_issuer, oidc_issuer_finish)

/*
 * Reads the configuration of the issuer of this name; ERR_PROTOCOL when it is of another one, which
 * would get our secrets otherwise.
 */
int oidc_parse_issuer(struct span text, const char *issuer, struct oidc_issuer *ret,
		      struct err *err) attr_must_use;

/* Tokens. They are wiped when they are released. */
struct oidc_tokens {
	char *access;
	char *refresh;		     /* NULL: none */
	uint64_t lifetime_s;	     /* of the access token, from when it was got; 0: not known */
	uint64_t refresh_lifetime_s; /* 0: not known */
};

void oidc_tokens_finish(struct oidc_tokens *tokens);
DEFINE_CLEANUP_VALUE(struct oidc_tokens, oidc_tokens_finish)

/* Nothing but bearer tokens is taken. */
int oidc_parse_tokens(struct span text, struct oidc_tokens *ret, struct err *err) attr_must_use;

/* How a device is let in: the user opens the address and enters the code. */
struct oidc_device {
	char *device_code;
	char user_code[OIDC_WORD_MAX];
	char *url;
	char *complete_url; /* with the code in it; NULL: none */
	uint64_t lifetime_s, interval_s;
};

void oidc_device_finish(struct oidc_device *device);
DEFINE_CLEANUP_VALUE(struct oidc_device, oidc_device_finish)

int oidc_parse_device(struct span text, struct oidc_device *ret, struct err *err) attr_must_use;

/* A refusal: its word, as "invalid_grant", and a text for people; either may be "". */
struct oidc_refusal {
	char word[OIDC_WORD_MAX];
	char text[OIDC_TEXT_MAX];
};

/* Never fails: what is no refusal has no word. */
void oidc_parse_refusal(struct span text, struct oidc_refusal *ret);

/* Whether it can go into a header as it is: visible ASCII, 1 to TOKEN_MAX characters. */
bool oidc_is_token(struct span text);
