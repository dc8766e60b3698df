/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Requests to an OpenID issuer, as a client of it: who we are there, and the secret that proves it
 * where there is one. Connections are kept between requests.
 */

#include "controller/auth/oidc.h"
#include "controller/http/http.h"
#include "controller/model/json.h"

struct issuer_client {
	const char *issuer; /* its address, as it calls itself */
	const char *id;
	const char *secret;    /* NULL: the client has none */
	struct oidc_issuer at; /* filled by issuer_find() */
	bool at_is_old;	       /* from an earlier time: asked for anew when it has moved */
	/* The connection, and the server that it leads to. */
	struct http *http;
	char *server;
};

/* Releases the connection and what was found. */
void issuer_client_finish(struct issuer_client *client);
DEFINE_CLEANUP_VALUE(struct issuer_client, issuer_client_finish)

/*
 * Asks the issuer where it does what, unless that is known: OpenID's well-known address, or, where
 * that is not found, that of RFC 8414.
 */
int issuer_find(struct issuer_client *client, struct err *err) attr_must_use;

/* Fields of a form: name, value, ..., NULL. Those whose value is NULL are left out. */
struct issuer_form {
	const char *const *fields;
	bool may_repeat; /* doing it twice does no harm: a lost answer is asked for again */
};

/*
 * Asks for tokens. ERR_DENIED: it says no, and *refusal (not NULL) has its word; of every other
 * failure refusal->word is "".
 */
int issuer_get_tokens(struct issuer_client *client, const struct issuer_form *form,
		      struct oidc_tokens *ret, struct oidc_refusal *refusal, struct err *err)
	attr_must_use;

/* Asks for codes to log this device in. ERR_UNSUPPORTED: the issuer knows no such thing. */
int issuer_get_device(struct issuer_client *client, const char *scopes, struct oidc_device *ret,
		      struct err *err) attr_must_use;

/*
 * Makes a token useless (RFC 7009); kind is "access_token" or "refresh_token". A token that the
 * issuer does not know is success. ERR_UNSUPPORTED: it has no address for that.
 */
int issuer_revoke(struct issuer_client *client, const char *kind, const char *token,
		  struct err *err) attr_must_use;

/* What the issuer tells about the user of a token; release *ret. */
int issuer_get_user(struct issuer_client *client, const char *token, json_t **ret, struct err *err)
	attr_must_use;
