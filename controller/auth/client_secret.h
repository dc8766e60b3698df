/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The secret that proves a client to its issuer, looked for in this order:
 *
 *	BERTH_CLIENT_SECRET_<CLUSTER>	in the environment, for CI
 *	client_secret_command		prints it
 *	client_secret_file		a file that nobody else may read
 *	a file of ours, 0600		where `berth login` put it when there was no keyring
 *	the keyring			where it put it else
 *
 * It is one line of visible characters, at most CLIENT_SECRET_MAX.
 */

#include "init/base/cleanup.h"
#include "init/base/err.h"

#define CLIENT_SECRET_MAX 4096

/* All is borrowed. */
struct client_secret {
	const char *cluster, *issuer, *client_id;
	const char *const *command; /* NULL-terminated; NULL: none */
	const char *file;	    /* NULL: none */
	const char *kept;	    /* the file of ours */
};

enum client_secret_place {
	CLIENT_SECRET_NONE,
	CLIENT_SECRET_ENVIRONMENT,
	CLIENT_SECRET_COMMAND,
	CLIENT_SECRET_FILE,
	CLIENT_SECRET_KEYRING,
	CLIENT_SECRET_KEPT,
};

/* For people: "the keyring". */
const char *client_secret_place_word(enum client_secret_place place);

/*
 * *ret is NULL when there is none; else client_secret_free() it. ERR_DENIED: others can read the
 * file. A keyring that does not open is none.
 */
int client_secret_find(const struct client_secret *from, char **ret,
		       enum client_secret_place *ret_place, struct err *err) attr_must_use;
char *client_secret_free(char *secret);
DEFINE_CLEANUP(char, client_secret_free)

/* Keeps it in the keyring, or, where there is none or it is not wanted, in the file of ours. */
int client_secret_keep(const struct client_secret *from, const char *secret, bool no_keyring,
		       enum client_secret_place *ret_place, struct err *err) attr_must_use;

/* Forgets what was kept; *ret_did says whether there was any. The user's own places stay. */
int client_secret_forget(const struct client_secret *from, bool *ret_did, struct err *err)
	attr_must_use;

/* Whether it is one line of visible characters that is not too long. */
bool client_secret_is_valid(const char *secret);
