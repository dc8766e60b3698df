/* SPDX-License-Identifier: MIT */
/* A login and its tokens; see login.h. */
#include "login.h"

#include <string.h>
#include <time.h>

#include "controller/auth/login_state.h"
#include "controller/http/url.h"
#include "controller/model/digest.h"
#include "init/base/alloc.h"
#include "init/base/fs.h"
#include "init/base/text.h"

#define NAME_LEN 24 /* of a digest, in the names of files */

static const char *const grants[] = {
	[LOGIN_AUTO] = "",
	[LOGIN_CREDENTIALS] = "client-credentials",
	[LOGIN_DEVICE] = "device",
	[LOGIN_CODE] = "code",
};

const char *login_grant_word(enum login_grant grant)
{
	return grants[grant];
}

bool login_grant_parse(const char *word, enum login_grant *ret)
{
	for (size_t i = 1; i < ARRAY_LEN(grants); i++) {
		if (strcmp(word, grants[i]) == 0) {
			*ret = (enum login_grant)i;
			return true;
		}
	}
	return false;
}

uint64_t login_now_s(void)
{
	return (uint64_t)time(NULL);
}

static int check(const struct token_settings *settings, enum login_grant *grant, struct err *err)
{
	uint64_t port;

	if (!url_is_safe(settings->oidc) || strchr(settings->oidc, '?'))
		return err_set(err, ERR_INVALID,
			       "oidc: '%.80s' is no issuer: write it like "
			       "https://auth.example.org/realms/main",
			       settings->oidc);
	if (!settings->client_id)
		return err_set(err, ERR_INVALID,
			       "the issuer has to know who asks: set 'client_id' of the cluster, "
			       "which whoever runs the issuer gives you");
	if (settings->grant && !login_grant_parse(settings->grant, grant))
		return err_set(err, ERR_INVALID,
			       "grant: '%.40s' is none of client-credentials, device and code",
			       settings->grant);
	if (settings->redirect_port && !text_parse_uint(settings->redirect_port, 65535, &port))
		return err_set(err, ERR_INVALID, "redirect_port: '%.40s' is no port",
			       settings->redirect_port);
	return 0;
}

/* Names of files, by what the login is of: clusters with the same login share it. */
static char *path_of(const struct login *login, const char *scopes, const char *suffix)
{
	cleanup_free char *text = str_printf("%s\n%s\n%s", login->issuer, login->client_id, scopes);
	char digest[DIGEST_HEX_SIZE];

	digest_sha256_hex(span_of_str(text), digest);
	return str_printf("%s/%.*s%s", login->dir, NAME_LEN, digest, suffix);
}

int login_open(const struct token_settings *settings, struct login **ret, struct err *err)
{
	struct login *login;
	enum login_grant grant = LOGIN_AUTO;
	uint64_t port = 0;

	if (check(settings, &grant, err) < 0)
		return -1;
	login = new_zero(struct login);
	login->cluster = str_dup(settings->cluster);
	login->issuer = str_dup(settings->oidc);
	login->client_id = str_dup(settings->client_id);
	login->scopes = settings->scopes ? str_dup(settings->scopes) : NULL;
	login->grant = grant;
	if (settings->redirect_port && text_parse_uint(settings->redirect_port, 65535, &port))
		login->redirect_port = (unsigned int)port;
	login->secret_file =
		settings->client_secret_file ? str_dup(settings->client_secret_file) : NULL;
	if (settings->client_secret_command)
		argv_add_all(&login->secret_command, settings->client_secret_command);
	login->dir = fs_join(settings->state_dir, "tokens");
	login->cache_path = path_of(login, login->scopes ? login->scopes : "", ".json");
	login->secret_path = path_of(login, "", ".secret");
	*ret = login;
	return 0;
}

struct login *login_close(struct login *login)
{
	if (login) {
		free(login->cluster);
		free(login->issuer);
		free(login->client_id);
		free(login->scopes);
		free(login->secret_file);
		argv_finish(&login->secret_command);
		free(login->dir);
		free(login->cache_path);
		free(login->secret_path);
		cached_finish(&login->cached);
		free(login);
	}
	return NULL;
}

struct client_secret login_secret_places(const struct login *login)
{
	return (struct client_secret){
		.cluster = login->cluster,
		.issuer = login->issuer,
		.client_id = login->client_id,
		.command = argv_words(&login->secret_command),
		.file = login->secret_file,
		.kept = login->secret_path,
	};
}

static char *copy(const char *text)
{
	return text ? str_dup(text) : NULL;
}

struct issuer_client login_client(const struct login *login, const char *secret)
{
	const struct oidc_issuer *at = &login->cached.at;

	return (struct issuer_client){
		.issuer = login->issuer,
		.id = login->client_id,
		.secret = secret,
		.at_is_old = at->token_url,
		.at = { .token_url = copy(at->token_url),
			.authorize_url = copy(at->authorize_url),
			.device_url = copy(at->device_url),
			.revoke_url = copy(at->revoke_url),
			.userinfo_url = copy(at->userinfo_url),
			.takes_basic = at->takes_basic,
			.sends_issuer = at->sends_issuer },
	};
}

int login_lock(const struct login *login, int *ret, struct err *err)
{
	if (fs_make_dirs(login->dir, 0700, err) < 0)
		return -1;
	return cache_lock(login->cache_path, ret, err);
}

int login_read(struct login *login, struct err *err)
{
	cached_finish(&login->cached);
	if (cache_read(login->cache_path, &login->cached, err) < 0)
		return -1;
	login->is_read = true;
	return 0;
}

int login_take(struct login *login, struct issuer_client *client, enum login_grant grant,
	       struct oidc_tokens *tokens, struct err *err)
{
	cached_take(&login->cached, tokens, login_now_s());
	oidc_issuer_finish(&login->cached.at);
	login->cached.at = client->at;
	client->at = (struct oidc_issuer){ 0 };
	memcpy(login->cached.grant, login_grant_word(grant), strlen(login_grant_word(grant)) + 1);
	return cache_write(login->cache_path, &login->cached, err);
}

int login_ask_credentials(const struct login *login, struct issuer_client *client,
			  struct oidc_tokens *ret, struct oidc_refusal *refusal, struct err *err)
{
	const char *const fields[] = { "grant_type", "client_credentials", "scope", login->scopes,
				       NULL };
	const struct issuer_form form = { .fields = fields, .may_repeat = true };

	return issuer_get_tokens(client, &form, ret, refusal, err);
}

static int tell_to_log_in(const struct login *login, const char *why, struct err *err)
{
	return err_set(err, ERR_DENIED, "%s: run 'berth login %s'", why, login->cluster);
}

/* The refresh token is good for one more try. */
static bool can_refresh(const struct login *login)
{
	return login->cached.tokens.refresh &&
	       (!login->cached.refresh_ends_s || login->cached.refresh_ends_s > login_now_s());
}

/*
 * A refresh token may be good for once only: when the answer is lost, so is it, and asking twice
 * would look like a theft. Therefore it is not repeated.
 */
static int refresh(struct login *login, struct issuer_client *client, struct err *err)
{
	cleanup(oidc_tokens_finish) struct oidc_tokens tokens = { 0 };
	const char *const fields[] = { "grant_type", "refresh_token", "refresh_token",
				       login->cached.tokens.refresh, NULL };
	const struct issuer_form form = { .fields = fields };
	struct oidc_refusal refusal;
	enum login_grant grant = LOGIN_AUTO;

	if (issuer_get_tokens(client, &form, &tokens, &refusal, err) < 0) {
		/* It is of no use any more, and shall not be tried again. */
		if (strcmp(refusal.word, "invalid_grant") == 0) {
			oidc_tokens_finish(&login->cached.tokens);
			if (cache_write(login->cache_path, &login->cached, err) < 0)
				return -1;
			return tell_to_log_in(login, "the login has ended", err);
		}
		return -1;
	}
	if (!login_grant_parse(login->cached.grant, &grant))
		grant = LOGIN_CREDENTIALS;
	return login_take(login, client, grant, &tokens, err);
}

/* A user who logged in is not followed by a client that logs in for itself. */
static bool may_use_credentials(const struct login *login)
{
	enum login_grant before;

	if (login->grant != LOGIN_AUTO)
		return login->grant == LOGIN_CREDENTIALS;
	return !login_grant_parse(login->cached.grant, &before) || before == LOGIN_CREDENTIALS;
}

static int renew(struct login *login, struct err *err)
{
	const struct client_secret places = login_secret_places(login);
	cleanup(client_secret_free) char *secret = NULL;
	cleanup(issuer_client_finish) struct issuer_client client = { 0 };
	cleanup(oidc_tokens_finish) struct oidc_tokens tokens = { 0 };
	enum client_secret_place place;
	struct oidc_refusal refusal;

	if (!can_refresh(login) && !may_use_credentials(login))
		return tell_to_log_in(
			login, login->cached.grant[0] ? "the login has ended" : "not logged in",
			err);
	if (client_secret_find(&places, &secret, &place, err) < 0)
		return -1;
	client = login_client(login, secret);
	/* With the secret at hand, a new token costs what a renewed one does, and is surer. */
	if (!may_use_credentials(login) || !secret)
		return can_refresh(login) ? refresh(login, &client, err)
					  : tell_to_log_in(login, "not logged in", err);
	if (login_ask_credentials(login, &client, &tokens, &refusal, err) < 0) {
		if (refusal.word[0])
			err_wrap(err, "the secret from %s", client_secret_place_word(place));
		return -1;
	}
	return login_take(login, &client, LOGIN_CREDENTIALS, &tokens, err);
}

/* Another process may have got one meanwhile. */
static int renew_once(struct login *login, const char *refused, struct err *err)
{
	cleanup_close int lock = -1;

	if (login_lock(login, &lock, err) < 0 || login_read(login, err) < 0)
		return -1;
	if (cached_is_good(&login->cached, login_now_s(), true) &&
	    (!refused || strcmp(refused, login->cached.tokens.access) != 0))
		return 0;
	return renew(login, err);
}

int login_get(struct login *login, bool fresh, const char **ret, struct err *err)
{
	cleanup(client_secret_free) char *refused = NULL;
	uint64_t now_s = login_now_s();

	if (!login->is_read && login_read(login, err) < 0)
		return -1;
	if (fresh)
		refused = copy(login->cached.tokens.access);
	if ((fresh || !cached_is_good(&login->cached, now_s, true)) &&
	    renew_once(login, refused, err) < 0) {
		/* An issuer that is away for a while stops nobody whose token is good. */
		if (fresh || !cached_is_good(&login->cached, now_s, false))
			return -1;
	}
	*ret = login->cached.tokens.access;
	return 0;
}
