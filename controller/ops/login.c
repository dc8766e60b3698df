/* SPDX-License-Identifier: MIT */
/* Logging in to the servers of clusters; see login.h. */
#include "login.h"

#include <stdio.h>
#include <string.h>

#include "controller/auth/jwt.h"
#include "controller/ops/tokens.h"
#include "init/base/text.h"

void whoami_finish(struct whoami *whoami)
{
	json_decref(whoami->claims);
	whoami->claims = NULL;
}

static int find_source(struct controller *c, const char *cluster, struct where *where,
		       struct token_source **ret, struct err *err)
{
	if (ops_choose(c, cluster, where, err) < 0)
		return -1;
	if (tokens_of(c, where, ret, err) < 0)
		return err_wrap(err, "cluster '%s'", where->cluster);
	if (!*ret)
		return err_set(err, ERR_UNSUPPORTED,
			       "cluster '%s' wants no token: its settings name neither 'oidc' nor "
			       "token_file nor token_command",
			       where->cluster);
	return 0;
}

static int find_login(struct controller *c, const char *cluster, struct where *where,
		      struct login **ret, struct err *err)
{
	struct token_source *source;

	if (find_source(c, cluster, where, &source, err) < 0)
		return -1;
	*ret = token_login(source);
	if (!*ret)
		return err_set(err, ERR_UNSUPPORTED,
			       "cluster '%s': its token comes from token_file or token_command: "
			       "there is nothing to log in to unless 'oidc' is set",
			       where->cluster);
	return 0;
}

int ops_login(struct controller *c, const char *cluster, const struct login_plan *plan,
	      const char **ret_cluster, struct login_done *ret, struct err *err)
{
	struct login *login;
	struct where where;

	if (find_login(c, cluster, &where, &login, err) < 0)
		return -1;
	if (login_start(login, plan, ret, err) < 0)
		return err_wrap(err, "cluster '%s'", where.cluster);
	*ret_cluster = where.cluster;
	return 0;
}

int ops_logout(struct controller *c, const char *cluster, struct notes *notes, struct err *err)
{
	struct login_left left;
	struct login *login;
	struct where where;

	if (find_login(c, cluster, &where, &login, err) < 0)
		return -1;
	if (login_end(login, &left, err) < 0)
		return err_wrap(err, "cluster '%s'", where.cluster);
	if (!left.had_tokens && !left.had_secret)
		notes_add(notes, "%s: there was no login", where.cluster);
	if (left.not_revoked)
		notes_add(notes, "the tokens are forgotten here, but good until they end: %s",
			  left.why.text);
	if (left.secret != CLIENT_SECRET_NONE)
		notes_add(notes,
			  "the secret of the client stays where it is (%s), and is used when a "
			  "token is needed",
			  client_secret_place_word(left.secret));
	return 0;
}

/* What issuers call users by; the client itself where there is no user. */
static void find_user(const json_t *claims, char *ret, size_t size)
{
	static const char *const names[] = {
		"preferred_username", "username", "sun", "email", "sub", "azp", "client_id"
	};
	const char *user = NULL;

	for (size_t i = 0; i < ARRAY_LEN(names) && !user; i++)
		user = json_string_value(json_object_get(claims, names[i]));
	snprintf(ret, size, "%s", user ? user : "");
	text_make_printable(ret);
}

static int ask_login(struct login *login, struct whoami *ret, struct err *err)
{
	struct login_about about;

	if (login_about(login, &about, err) < 0)
		return -1;
	ret->source = "login";
	ret->issuer = about.issuer;
	ret->client_id = about.client_id;
	ret->scopes = about.scopes;
	memcpy(ret->grant, about.grant, sizeof(ret->grant));
	ret->ends_ns = about.ends_s * NSEC_PER_SEC;
	ret->refresh_ends_ns = about.refresh_ends_s * NSEC_PER_SEC;
	ret->renews = about.renews;
	ret->claims = about.claims;
	return 0;
}

int ops_whoami(struct controller *c, const char *cluster, struct whoami *ret, struct err *err)
{
	struct token_source *source;
	struct where where;
	const char *token;

	if (find_source(c, cluster, &where, &source, err) < 0)
		return -1;
	*ret = (struct whoami){ .cluster = where.cluster };
	if (token_login(source)) {
		if (ask_login(token_login(source), ret, err) < 0)
			return err_wrap(err, "cluster '%s'", where.cluster);
	} else {
		if (token_get(source, false, &token, err) < 0)
			return err_wrap(err, "cluster '%s'", where.cluster);
		ret->source = config_list(c->config, where.settings, "token_command")->len > 0
				      ? "token_command"
				      : "token_file";
		ret->ends_ns = token_end(source) * NSEC_PER_SEC;
		ret->renews = strcmp(ret->source, "token_command") == 0;
		ret->claims = jwt_claims(token);
	}
	find_user(ret->claims, ret->user, sizeof(ret->user));
	return 0;
}
