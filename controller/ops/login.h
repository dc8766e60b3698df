/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Logging in to the servers of clusters (auth/login.h), out again, and who one is there. cluster is
 * a name, or NULL for the one that is chosen. ERR_UNSUPPORTED, with what to do, for clusters the
 * tokens of which come from elsewhere.
 */

#include "controller/auth/login.h"
#include "controller/ops/controller.h"

int ops_login(struct controller *c, const char *cluster, const struct login_plan *plan,
	      const char **ret_cluster, struct login_done *ret, struct err *err) attr_must_use;

int ops_logout(struct controller *c, const char *cluster, struct notes *notes, struct err *err)
	attr_must_use;

/* Whom the token of a cluster is about. */
struct whoami {
	const char *cluster; /* borrowed from the controller, as all texts but user */
	const char *source;  /* "login", "token_command" or "token_file" */
	const char *issuer, *client_id, *scopes;
	char grant[OIDC_WORD_MAX];
	char user[OIDC_TEXT_MAX];	   /* printable; "": nobody says */
	uint64_t ends_ns, refresh_ends_ns; /* 0: not known */
	bool renews;			   /* by itself */
	json_t *claims; /* of the token, or what the issuer tells; NULL: neither */
};

void whoami_finish(struct whoami *whoami);
DEFINE_CLEANUP_VALUE(struct whoami, whoami_finish)

int ops_whoami(struct controller *c, const char *cluster, struct whoami *ret, struct err *err)
	attr_must_use;
