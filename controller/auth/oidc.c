/* SPDX-License-Identifier: MIT */
/* What an OpenID issuer answers; see oidc.h. */
#include "oidc.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "controller/auth/jwt.h"
#include "controller/http/url.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

#define DEVICE_LIFETIME_MAX_S 3600
#define DEVICE_INTERVAL_S 5 /* RFC 8628 section 3.2, where none is given */
#define DEVICE_INTERVAL_MAX_S 60

static const struct {
	const char *name;
	size_t offset;
} addresses[] = {
	{ "token_endpoint", offsetof(struct oidc_issuer, token_url) },
	{ "authorization_endpoint", offsetof(struct oidc_issuer, authorize_url) },
	{ "device_authorization_endpoint", offsetof(struct oidc_issuer, device_url) },
	{ "revocation_endpoint", offsetof(struct oidc_issuer, revoke_url) },
	{ "userinfo_endpoint", offsetof(struct oidc_issuer, userinfo_url) },
};

static char **address(struct oidc_issuer *issuer, size_t i)
{
	return (char **)(void *)((char *)issuer + addresses[i].offset);
}

void oidc_issuer_finish(struct oidc_issuer *issuer)
{
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
		free(*address(issuer, i));
	*issuer = (struct oidc_issuer){ 0 };
}

static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

void oidc_tokens_finish(struct oidc_tokens *tokens)
{
	wipe(tokens->access);
	wipe(tokens->refresh);
	*tokens = (struct oidc_tokens){ 0 };
}

void oidc_device_finish(struct oidc_device *device)
{
	wipe(device->device_code);
	free(device->url);
	free(device->complete_url);
	*device = (struct oidc_device){ 0 };
}

bool oidc_is_token(struct span text)
{
	return url_is_visible(text) && text.len <= TOKEN_MAX;
}

/* What the parser complains about may be a piece of a token, and is not told. */
static int parse(struct span text, json_t **ret, struct err *err)
{
	if (json_parse(text, OIDC_ANSWER_MAX, ret, NULL) == 0)
		return 0;
	return err_set(err, ERR_PROTOCOL,
		       "the issuer's answer is not JSON: does 'oidc' lead to an OpenID issuer?");
}

static const char *text_of(const json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

/* Seconds; 0 for what is none. Some issuers write numbers as text. */
static uint64_t seconds_of(const json_t *object, const char *name, uint64_t max)
{
	const json_t *value = json_object_get(object, name);
	uint64_t number = 0;

	if (json_is_string(value) && !text_parse_uint(json_string_value(value), max, &number))
		return 0;
	if (json_is_integer(value) && json_integer_value(value) > 0)
		number = (uint64_t)json_integer_value(value);
	if (json_is_real(value) && json_real_value(value) > 0 && json_real_value(value) < 1e15)
		number = (uint64_t)json_real_value(value);
	return MIN(number, max);
}

static int take_address(const json_t *configuration, size_t i, struct oidc_issuer *issuer,
			struct err *err)
{
	const char *text = text_of(configuration, addresses[i].name);
	char shown[OIDC_TEXT_MAX];

	if (!text)
		return 0;
	if (!url_is_safe(text)) {
		snprintf(shown, sizeof(shown), "%.160s", text);
		text_make_printable(shown);
		return err_set(err, ERR_PROTOCOL,
			       "the issuer's %s is '%s': only https is taken, or http on this "
			       "machine",
			       addresses[i].name, shown);
	}
	*address(issuer, i) = str_dup(text);
	return 0;
}

/* RFC 8414 section 2: where nothing is said, it takes the header. */
static bool takes_basic(const json_t *configuration)
{
	const json_t *methods =
		json_object_get(configuration, "token_endpoint_auth_methods_supported");
	const json_t *method;
	size_t i;

	if (!json_is_array(methods))
		return true;
	json_array_foreach(methods, i, method) {
		const char *word = json_string_value(method);

		if (word && strcmp(word, "client_secret_basic") == 0)
			return true;
	}
	return false;
}

int oidc_parse_issuer(struct span text, const char *issuer, struct oidc_issuer *ret,
		      struct err *err)
{
	cleanup(json_release) json_t *configuration = NULL;
	cleanup(oidc_issuer_finish) struct oidc_issuer found = { 0 };
	char shown[OIDC_TEXT_MAX];
	const char *name;

	if (parse(text, &configuration, err) < 0)
		return -1;
	name = text_of(configuration, "issuer");
	if (!name || strcmp(name, issuer) != 0) {
		snprintf(shown, sizeof(shown), "%.160s", name ? name : "nobody");
		text_make_printable(shown);
		return err_set(err, ERR_PROTOCOL,
			       "it says that it is '%s': set 'oidc' of the cluster to exactly what "
			       "the issuer calls itself, if you trust that",
			       shown);
	}
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		if (take_address(configuration, i, &found, err) < 0)
			return -1;
	}
	if (!found.token_url)
		return err_set(err, ERR_PROTOCOL, "the issuer has no token_endpoint");
	found.takes_basic = takes_basic(configuration);
	found.sends_issuer = json_is_true(
		json_object_get(configuration, "authorization_response_iss_parameter_supported"));
	*ret = found;
	found = (struct oidc_issuer){ 0 };
	return 0;
}

/* By the token's own account, which a clock that is wrong does not change. */
static uint64_t lifetime_of(const char *token)
{
	cleanup(json_release) json_t *claims = jwt_claims(token);
	uint64_t from = seconds_of(claims, "iat", UINT64_MAX / 2);
	uint64_t end = seconds_of(claims, "exp", UINT64_MAX / 2);

	return from && end > from ? MIN(end - from, OIDC_LIFETIME_MAX_S) : 0;
}

static int take_token(const json_t *answer, const char *name, char **ret, struct err *err)
{
	const char *text = text_of(answer, name);

	if (!text)
		return 0;
	if (!oidc_is_token(span_of_str(text)))
		return err_set(err, ERR_PROTOCOL,
			       "the issuer's %s is empty, longer than %d bytes or has odd "
			       "characters",
			       name, TOKEN_MAX);
	*ret = str_dup(text);
	return 0;
}

int oidc_parse_tokens(struct span text, struct oidc_tokens *ret, struct err *err)
{
	cleanup(json_release) json_t *answer = NULL;
	cleanup(oidc_tokens_finish) struct oidc_tokens found = { 0 };
	const char *type;

	if (parse(text, &answer, err) < 0)
		return -1;
	type = text_of(answer, "token_type");
	if (!type || strcasecmp(type, "bearer") != 0)
		return err_set(err, ERR_PROTOCOL, "the issuer gives no bearer token");
	if (take_token(answer, "access_token", &found.access, err) < 0 ||
	    take_token(answer, "refresh_token", &found.refresh, err) < 0)
		return -1;
	if (!found.access)
		return err_set(err, ERR_PROTOCOL, "the issuer gives no access_token");
	found.lifetime_s = seconds_of(answer, "expires_in", OIDC_LIFETIME_MAX_S);
	if (!found.lifetime_s)
		found.lifetime_s = lifetime_of(found.access);
	/* Keycloak says it; 0 is "as long as you like" there. */
	found.refresh_lifetime_s = seconds_of(answer, "refresh_expires_in", OIDC_LIFETIME_MAX_S);
	*ret = found;
	found = (struct oidc_tokens){ 0 };
	return 0;
}

static int take_page(const json_t *answer, const char *name, char **ret, struct err *err)
{
	const char *text = text_of(answer, name);

	if (text && !url_is_safe(text))
		return err_set(err, ERR_PROTOCOL,
			       "the issuer's %s is no address of a page: only https is taken, or "
			       "http on this machine",
			       name);
	*ret = text ? str_dup(text) : NULL;
	return 0;
}

int oidc_parse_device(struct span text, struct oidc_device *ret, struct err *err)
{
	cleanup(json_release) json_t *answer = NULL;
	cleanup(oidc_device_finish) struct oidc_device found = { 0 };
	const char *user_code;

	if (parse(text, &answer, err) < 0 ||
	    take_token(answer, "device_code", &found.device_code, err) < 0 ||
	    take_page(answer, "verification_uri", &found.url, err) < 0 ||
	    take_page(answer, "verification_uri_complete", &found.complete_url, err) < 0)
		return -1;
	user_code = text_of(answer, "user_code");
	if (!found.device_code || !found.url || !user_code ||
	    strlen(user_code) >= sizeof(found.user_code) || !oidc_is_token(span_of_str(user_code)))
		return err_set(err, ERR_PROTOCOL,
			       "the issuer gives no code and page to log this device in");
	snprintf(found.user_code, sizeof(found.user_code), "%s", user_code);
	found.lifetime_s = seconds_of(answer, "expires_in", DEVICE_LIFETIME_MAX_S);
	if (!found.lifetime_s)
		found.lifetime_s = DEVICE_LIFETIME_MAX_S;
	found.interval_s = seconds_of(answer, "interval", DEVICE_INTERVAL_MAX_S);
	if (!found.interval_s)
		found.interval_s = DEVICE_INTERVAL_S;
	*ret = found;
	found = (struct oidc_device){ 0 };
	return 0;
}

void oidc_parse_refusal(struct span text, struct oidc_refusal *ret)
{
	cleanup(json_release) json_t *answer = NULL;
	const char *word, *why;

	*ret = (struct oidc_refusal){ 0 };
	if (json_parse(text, OIDC_ANSWER_MAX, &answer, NULL) < 0)
		return;
	word = text_of(answer, "error");
	why = text_of(answer, "error_description");
	snprintf(ret->word, sizeof(ret->word), "%s", word ? word : "");
	snprintf(ret->text, sizeof(ret->text), "%s", why ? why : "");
	text_make_printable(ret->word);
	text_make_printable(ret->text);
}
