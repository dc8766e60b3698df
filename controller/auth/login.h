/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A login at an OpenID issuer: the user's (device code, authorization code) or the client's own
 * (client credentials). What it gives is cached (cache.h) and renewed when it ends.
 *
 * Getting a token never asks anybody: it is cached, or renewed, or had for the client's secret.
 * Only login_start() asks the user, and only `berth login` calls that.
 */

#include "controller/auth/client_secret.h"
#include "controller/auth/issuer.h"
#include "controller/auth/token.h"

enum login_grant { LOGIN_AUTO, LOGIN_CREDENTIALS, LOGIN_DEVICE, LOGIN_CODE };

/* "client-credentials", "device", "code"; "" for LOGIN_AUTO. */
const char *login_grant_word(enum login_grant grant);
bool login_grant_parse(const char *word, enum login_grant *ret) attr_must_use;

struct login;

/* Nothing is asked or read yet. ERR_INVALID: a setting is missing or wrong. */
int login_open(const struct token_settings *settings, struct login **ret, struct err *err)
	attr_must_use;
struct login *login_close(struct login *login);
DEFINE_CLEANUP(struct login, login_close)

/* As token_get(). */
int login_get(struct login *login, bool fresh, const char **ret, struct err *err) attr_must_use;

/* What is told to the user while somebody logs in. */
struct login_page {
	const char *url;	  /* to be opened */
	const char *complete_url; /* the same with the code in it; NULL: none */
	const char *user_code;	  /* to be entered there; NULL: none */
	bool opens;		  /* a browser is being started with it */
};

struct login_plan {
	enum login_grant grant; /* LOGIN_AUTO: that of the settings, or what can be done here */
	bool no_browser;	/* the user opens the page */
	bool no_keyring;	/* the secret goes into a file */
	void *owner;
	void (*show)(void *owner, const struct login_page *page);
	/* A secret to be wiped by client_secret_free(). NULL: nobody can be asked. */
	int (*ask)(void *owner, const char *question, char **ret, struct err *err);
};

struct login_done {
	enum login_grant grant;
	enum client_secret_place kept; /* where a secret that was asked for is now */
	uint64_t ends_s;	       /* of the access token; 0: not known */
	bool renews;		       /* by itself, without the user */
};

/* ERR_DENIED: the issuer or the user there said no. ERR_TIMEOUT: nobody logged in. */
int login_start(struct login *login, const struct login_plan *plan, struct login_done *ret,
		struct err *err) attr_must_use;

struct login_left {
	bool had_tokens;
	bool had_secret;
	bool not_revoked; /* the issuer takes none back, or could not be asked: why says it */
	struct err why;
	enum client_secret_place secret; /* of the user's own, which stays */
};

/* Takes the tokens back and forgets them, and the secret that was kept. */
int login_end(struct login *login, struct login_left *ret, struct err *err) attr_must_use;

struct login_about {
	const char *issuer, *client_id, *scopes; /* borrowed from the login */
	char grant[OIDC_WORD_MAX];
	uint64_t ends_s, refresh_ends_s;
	bool renews;
	json_t *claims; /* of the token, or what the issuer tells; NULL: neither. To be released */
};

/* Asks the issuer about the user when the token itself does not say. Gets a token if need be. */
int login_about(struct login *login, struct login_about *ret, struct err *err) attr_must_use;
