/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What the files that make up a login share, and nobody else.
 */

#include "controller/auth/cache.h"
#include "controller/auth/login.h"
#include "controller/run/argv.h"

struct login {
	char *cluster, *issuer, *client_id;
	char *scopes; /* with spaces between them; NULL: none */
	enum login_grant grant;
	unsigned int redirect_port; /* 0: any */
	char *secret_file;
	struct argv secret_command;
	char *dir;	   /* of the files below */
	char *cache_path;  /* of this issuer, client and these scopes */
	char *secret_path; /* of this issuer and client */
	struct cached cached;
	bool is_read; /* cached is what the file said, or newer */
};

uint64_t login_now_s(void);

/* Where its secret is looked for; borrows from the login. */
struct client_secret login_secret_places(const struct login *login);

/* The client as what is cached knows it; *secret has to outlive it. */
struct issuer_client login_client(const struct login *login, const char *secret);

/* Makes the directory of the cache, and waits for the lock. Close *ret. */
int login_lock(const struct login *login, int *ret, struct err *err) attr_must_use;

/* Reads the file anew. */
int login_read(struct login *login, struct err *err) attr_must_use;

/* Takes tokens over and writes them down. What the client found of the issuer is taken, too. */
int login_take(struct login *login, struct issuer_client *client, enum login_grant grant,
	       struct oidc_tokens *tokens, struct err *err) attr_must_use;

/* Tokens for the client's own secret. */
int login_ask_credentials(const struct login *login, struct issuer_client *client,
			  struct oidc_tokens *ret, struct oidc_refusal *refusal, struct err *err)
	attr_must_use;
