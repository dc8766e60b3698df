/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Bearer tokens of a cluster: a source is made of its settings, and gives the token when a request
 * needs it. A token stands in a file, is printed by a command, or is got from an OpenID issuer.
 *
 *	cleanup(token_source_close) struct token_source *tokens = NULL;
 *	const char *token;
 *
 *	if (token_source_open(&settings, &tokens, err) < 0)
 *		return -1;
 *	if (token_get(tokens, false, &token, err) < 0)
 *		return -1;	(there is none: the error says what to do)
 *	...			(send it; when the server answers 401:)
 *	if (token_get(tokens, true, &token, err) < 0)
 *		return -1;
 *
 * A token is one line of visible ASCII of at most TOKEN_MAX bytes, whatever it came from: it goes
 * into a header as it is. It is never an argument or a variable of a program, and in no message.
 */

#include <stdbool.h>

#include "init/base/cleanup.h"
#include "init/base/err.h"

#define TOKEN_MAX 16384

struct token_source;

/* What says where tokens come from; texts are borrowed until it is open. */
struct token_settings {
	const char *cluster;		  /* its name: for messages */
	const char *token_file;		  /* NULL: none */
	const char *const *token_command; /* NULL-terminated, or NULL; it wins over the file */
	/* An OpenID issuer, which wins over both; NULL: none. What follows is for that. */
	const char *oidc;
	const char *client_id;
	const char *client_secret_file;
	const char *const *client_secret_command;
	const char *scopes; /* with spaces between them */
	const char *grant;
	const char *redirect_port;
	const char *state_dir; /* what a login gives is kept below it */
};

/*
 * Nothing is read, run or asked yet. *ret is NULL when the settings name nothing: requests then go
 * without a token. ERR_INVALID: a setting is missing or wrong.
 */
int token_source_open(const struct token_settings *settings, struct token_source **ret,
		      struct err *err) attr_must_use;
struct token_source *token_source_close(struct token_source *source);
DEFINE_CLEANUP(struct token_source, token_source_close)

/*
 * The token, which stays valid until the next call. It is kept; fresh asks for another, because the
 * server refused the last one: then the file is read, the command run, or the login renewed.
 * ERR_DENIED: the user has to log in.
 */
int token_get(struct token_source *source, bool fresh, const char **ret, struct err *err)
	attr_must_use;

/* When the token that was got last ends, in seconds since the epoch; 0: it does not tell. */
uint64_t token_end(const struct token_source *source);

/* The login that the tokens come from (login.h); NULL when they come from elsewhere. */
struct login;
struct login *token_login(struct token_source *source);
