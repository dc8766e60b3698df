/* SPDX-License-Identifier: MIT */
/* Logging in and out, and who one is; see login.h. */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controller/auth/browser.h"
#include "controller/auth/jwt.h"
#include "controller/auth/login_state.h"
#include "controller/auth/loopback.h"
#include "controller/auth/pkce.h"
#include "controller/http/url.h"
#include "init/base/alloc.h"

#define CODE_TIMEOUT_MS (5 * 60 * 1000)
#define SLOW_DOWN_S 5 /* RFC 8628 section 3.5 */
#define INTERVAL_MAX_S 60

/* What one attempt to log in works on. */
struct attempt {
	struct login *login;
	const struct login_plan *plan;
	struct issuer_client client;
	struct oidc_tokens tokens;
	char *secret;
	bool was_asked; /* for the secret */
};

static void attempt_finish(struct attempt *attempt)
{
	issuer_client_finish(&attempt->client);
	oidc_tokens_finish(&attempt->tokens);
	client_secret_free(attempt->secret);
}
DEFINE_CLEANUP_VALUE(struct attempt, attempt_finish)

static int ask_secret(struct attempt *attempt, struct err *err)
{
	const struct login *login = attempt->login;
	cleanup_free char *question =
		str_printf("Secret of client %s at %s: ", login->client_id, login->issuer);
	char *secret = NULL;

	if (!attempt->plan->ask)
		return err_set(err, ERR_DENIED,
			       "the secret of client %s is not known: set client_secret_file or "
			       "client_secret_command, or log in from a terminal",
			       login->client_id);
	if (attempt->plan->ask(attempt->plan->owner, question, &secret, err) < 0)
		return -1;
	client_secret_free(attempt->secret);
	attempt->secret = secret;
	attempt->client.secret = secret;
	attempt->was_asked = true;
	if (!client_secret_is_valid(secret))
		return err_set(err, ERR_INVALID, "that is no secret");
	return 0;
}

/* The words of RFC 6749 section 5.2, and of Keycloak, for a secret that is not right. */
static bool is_about_secret(const struct oidc_refusal *refusal)
{
	return strcmp(refusal->word, "invalid_client") == 0 ||
	       strcmp(refusal->word, "unauthorized_client") == 0;
}

/* A secret that was kept and is refused may be an old one. */
static int get_by_credentials(struct attempt *attempt, enum client_secret_place place,
			      struct err *err)
{
	bool is_ours = place == CLIENT_SECRET_KEYRING || place == CLIENT_SECRET_KEPT;
	struct oidc_refusal refusal;

	if (!attempt->secret && ask_secret(attempt, err) < 0)
		return -1;
	if (login_ask_credentials(attempt->login, &attempt->client, &attempt->tokens, &refusal,
				  err) == 0)
		return 0;
	if (attempt->was_asked || !is_ours || !attempt->plan->ask || !is_about_secret(&refusal))
		return -1;
	if (ask_secret(attempt, err) < 0)
		return -1;
	return login_ask_credentials(attempt->login, &attempt->client, &attempt->tokens, &refusal,
				     err);
}

static void sleep_s(uint64_t seconds)
{
	struct timespec left = { .tv_sec = (time_t)seconds };

	while (nanosleep(&left, &left) < 0)
		continue;
}

static uint64_t awake_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec;
}

/* How long to wait now; 0: the answer is final, and *err says it. */
static uint64_t next_interval(uint64_t interval_s, const struct oidc_refusal *refusal,
			      const struct err *err)
{
	if (strcmp(refusal->word, "authorization_pending") == 0)
		return interval_s;
	if (strcmp(refusal->word, "slow_down") == 0)
		return MIN(interval_s + SLOW_DOWN_S, (uint64_t)INTERVAL_MAX_S);
	/* Who cannot be reached, or has too much to do, is asked less often. */
	if (err->kind == ERR_UNAVAILABLE || err->kind == ERR_TIMEOUT || err->kind == ERR_LIMIT ||
	    err->kind == ERR_PROTOCOL || err->kind == ERR_SYSTEM)
		return MIN(interval_s * 2, (uint64_t)INTERVAL_MAX_S);
	return 0;
}

static int poll_device(struct attempt *attempt, const struct oidc_device *device, struct err *err)
{
	const char *const fields[] = { "grant_type", "urn:ietf:params:oauth:grant-type:device_code",
				       "device_code", device->device_code, NULL };
	const struct issuer_form form = { .fields = fields };
	uint64_t interval_s = device->interval_s, deadline_s = awake_s() + device->lifetime_s;
	struct oidc_refusal refusal = { 0 };
	struct err why = { 0 };

	while (interval_s > 0 && awake_s() + interval_s <= deadline_s) {
		sleep_s(interval_s);
		if (issuer_get_tokens(&attempt->client, &form, &attempt->tokens, &refusal, &why) ==
		    0)
			return 0;
		interval_s = next_interval(interval_s, &refusal, &why);
	}
	if (interval_s > 0 || strcmp(refusal.word, "expired_token") == 0)
		return err_set(err, ERR_TIMEOUT,
			       "the code was not entered in time: log in again for another one");
	if (strcmp(refusal.word, "access_denied") == 0)
		return err_set(err, ERR_DENIED, "the login was refused on that page");
	if (err)
		*err = why;
	return -1;
}

static int get_by_device(struct attempt *attempt, struct err *err)
{
	cleanup(oidc_device_finish) struct oidc_device device = { 0 };
	struct login_page page;

	if (issuer_get_device(&attempt->client, attempt->login->scopes, &device, err) < 0)
		return -1;
	page = (struct login_page){ .url = device.url,
				    .complete_url = device.complete_url,
				    .user_code = device.user_code };
	attempt->plan->show(attempt->plan->owner, &page);
	return poll_device(attempt, &device, err);
}

/* What the browser came back with. */
struct coming_back {
	const struct pkce *pkce;
	const char *issuer; /* it has to name; NULL: any */
	char code[PKCE_CODE_MAX];
};

static int take_answer(void *owner, struct span query, struct err *err)
{
	struct coming_back *back = owner;

	return pkce_read_answer(back->pkce, query, back->issuer, back->code, err);
}

static int redeem(struct attempt *attempt, const struct coming_back *back, const char *redirect,
		  struct err *err)
{
	const char *const fields[] = {
		"grant_type",	 "authorization_code", "code", back->code, "redirect_uri", redirect,
		"code_verifier", back->pkce->verifier, NULL,
	};
	const struct issuer_form form = { .fields = fields };
	struct oidc_refusal refusal;

	return issuer_get_tokens(&attempt->client, &form, &attempt->tokens, &refusal, err);
}

static void show_page(const struct attempt *attempt, const char *url)
{
	const struct login_plan *plan = attempt->plan;
	struct login_page page = { .url = url, .opens = !plan->no_browser && browser_is_here() };

	page.opens = page.opens && browser_open(url, NULL) == 0;
	plan->show(plan->owner, &page);
}

static int get_by_code(struct attempt *attempt, struct err *err)
{
	const struct oidc_issuer *at = &attempt->client.at;
	cleanup(loopback_close) struct loopback *loopback = NULL;
	cleanup(pkce_finish) struct pkce pkce = { 0 };
	cleanup(buf_finish) struct buf url = BUF_INIT((size_t)2 * URL_MAX);
	struct coming_back back = { .pkce = &pkce };
	struct pkce_page page = { .url = at->authorize_url,
				  .client_id = attempt->login->client_id,
				  .scopes = attempt->login->scopes };
	int result;

	if (!at->authorize_url)
		return err_set(err, ERR_UNSUPPORTED,
			       "issuer %s has no page to log in: try '--grant device'",
			       attempt->login->issuer);
	if (loopback_open(attempt->login->redirect_port, &loopback, err) < 0)
		return -1;
	page.redirect = loopback_url(loopback);
	back.issuer = at->sends_issuer ? attempt->login->issuer : NULL;
	if (pkce_init(&pkce, err) < 0 || pkce_make_page(&pkce, &page, &url, err) < 0)
		return -1;
	show_page(attempt, buf_str(&url));
	result = loopback_wait(loopback, CODE_TIMEOUT_MS, take_answer, &back, err);
	if (result == 0)
		result = redeem(attempt, &back, page.redirect, err);
	explicit_bzero(back.code, sizeof(back.code));
	return result;
}

/* What is asked for; else the client's own where there is a secret; else what can be done here. */
static enum login_grant choose(const struct attempt *attempt)
{
	const struct oidc_issuer *at = &attempt->client.at;
	enum login_grant grant = attempt->plan->grant;

	if (grant == LOGIN_AUTO)
		grant = attempt->login->grant;
	if (grant != LOGIN_AUTO)
		return grant;
	if (attempt->secret)
		return LOGIN_CREDENTIALS;
	if (!at->device_url)
		return at->authorize_url ? LOGIN_CODE : LOGIN_CREDENTIALS;
	return at->authorize_url && browser_is_here() ? LOGIN_CODE : LOGIN_DEVICE;
}

static int get_by(struct attempt *attempt, enum login_grant grant, enum client_secret_place place,
		  struct err *err)
{
	switch (grant) {
	case LOGIN_DEVICE:
		return get_by_device(attempt, err);
	case LOGIN_CODE:
		return get_by_code(attempt, err);
	case LOGIN_AUTO:
	case LOGIN_CREDENTIALS:
		break;
	}
	return get_by_credentials(attempt, place, err);
}

/* Tokens first, then the secret: one that does not work is not kept. */
static int keep(struct attempt *attempt, struct login_done *ret, struct err *err)
{
	const struct client_secret places = login_secret_places(attempt->login);
	struct login *login = attempt->login;
	cleanup_close int lock = -1;

	if (login_lock(login, &lock, err) < 0 || login_read(login, err) < 0)
		return -1;
	/* Of another user perhaps: nothing of it lives on. */
	oidc_tokens_finish(&login->cached.tokens);
	login->cached.refresh_ends_s = 0;
	if (login_take(login, &attempt->client, ret->grant, &attempt->tokens, err) < 0)
		return -1;
	ret->ends_s = login->cached.ends_s;
	ret->renews = ret->grant == LOGIN_CREDENTIALS || login->cached.tokens.refresh;
	if (!attempt->was_asked)
		return 0;
	return client_secret_keep(&places, attempt->secret, attempt->plan->no_keyring, &ret->kept,
				  err);
}

int login_start(struct login *login, const struct login_plan *plan, struct login_done *ret,
		struct err *err)
{
	const struct client_secret places = login_secret_places(login);
	cleanup(attempt_finish) struct attempt attempt = { .login = login, .plan = plan };
	enum client_secret_place place;

	*ret = (struct login_done){ 0 };
	if (client_secret_find(&places, &attempt.secret, &place, err) < 0)
		return -1;
	/* What was cached may be from another time: somebody waits anyway, so ask. */
	attempt.client = (struct issuer_client){ .issuer = login->issuer,
						 .id = login->client_id,
						 .secret = attempt.secret };
	if (issuer_find(&attempt.client, err) < 0)
		return -1;
	ret->grant = choose(&attempt);
	if (get_by(&attempt, ret->grant, place, err) < 0)
		return -1;
	return keep(&attempt, ret, err);
}

static void take_back(const struct login *login, const char *secret, struct login_left *ret)
{
	const struct oidc_tokens *tokens = &login->cached.tokens;
	cleanup(issuer_client_finish) struct issuer_client client = login_client(login, secret);

	if ((tokens->refresh &&
	     issuer_revoke(&client, "refresh_token", tokens->refresh, &ret->why) < 0) ||
	    issuer_revoke(&client, "access_token", tokens->access, &ret->why) < 0)
		ret->not_revoked = true;
}

int login_end(struct login *login, struct login_left *ret, struct err *err)
{
	const struct client_secret places = login_secret_places(login);
	cleanup(client_secret_free) char *secret = NULL;
	cleanup_close int lock = -1;

	*ret = (struct login_left){ 0 };
	if (login_lock(login, &lock, err) < 0 || login_read(login, err) < 0)
		return -1;
	/* Without the secret the issuer may not listen, but what is here goes. */
	if (client_secret_find(&places, &secret, &ret->secret, NULL) < 0)
		secret = NULL;
	ret->had_tokens = login->cached.tokens.access;
	if (ret->had_tokens)
		take_back(login, secret, ret);
	cached_finish(&login->cached);
	if (unlink(login->cache_path) < 0 && ret->had_tokens)
		return err_set_errno(err, errno, "remove %s", login->cache_path);
	if (client_secret_forget(&places, &ret->had_secret, err) < 0)
		return -1;
	if (ret->had_secret)
		ret->secret = CLIENT_SECRET_NONE;
	return 0;
}

int login_about(struct login *login, struct login_about *ret, struct err *err)
{
	cleanup(issuer_client_finish) struct issuer_client client = { 0 };
	const struct cached *cached = &login->cached;
	const char *token;

	if (login_get(login, false, &token, err) < 0)
		return -1;
	*ret = (struct login_about){
		.issuer = login->issuer,
		.client_id = login->client_id,
		.scopes = login->scopes,
		.ends_s = cached->ends_s,
		.refresh_ends_s = cached->refresh_ends_s,
		.renews = cached->tokens.refresh ||
			  strcmp(cached->grant, login_grant_word(LOGIN_CREDENTIALS)) == 0,
		.claims = jwt_claims(token),
	};
	memcpy(ret->grant, cached->grant, sizeof(ret->grant));
	client = login_client(login, NULL);
	/* An issuer that tells nothing about users leaves them nameless, which is no failure. */
	if (!ret->claims && issuer_get_user(&client, token, &ret->claims, NULL) < 0)
		ret->claims = NULL;
	return 0;
}
