/* SPDX-License-Identifier: MIT */
/* Requests to an OpenID issuer; see issuer.h. */
#include "issuer.h"

#include <string.h>

#include "controller/http/url.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

#define TIMEOUT_MS 30000
#define FORM_MAX ((size_t)4 * TOKEN_MAX)
#define OPENID_PATH "/.well-known/openid-configuration"
#define OAUTH_PATH "/.well-known/oauth-authorization-server"

void issuer_client_finish(struct issuer_client *client)
{
	client->http = http_close(client->http);
	free(client->server);
	client->server = NULL;
	oidc_issuer_finish(&client->at);
}

static int send_to(struct issuer_client *client, const char *url, struct http_request *request,
		   struct http_response *ret, struct err *err)
{
	cleanup_free char *server = NULL;
	cleanup_free char *path = NULL;

	url_split(url, &server, &path);
	if (!client->server || strcmp(client->server, server) != 0) {
		client->http = http_close(client->http);
		free(client->server);
		client->server = NULL;
		if (http_open(server, &client->http, err) < 0)
			return -1;
		client->server = take_ptr(server);
	}
	request->path = path;
	request->timeout_ms = TIMEOUT_MS;
	request->body_max = OIDC_ANSWER_MAX;
	return http_send(client->http, request, ret, err);
}

static int get(struct issuer_client *client, const char *url, struct http_response *ret,
	       struct err *err)
{
	static const char *const headers[] = { "Accept: application/json", NULL };
	struct http_request request = { .headers = headers };

	return send_to(client, url, &request, ret, err);
}

/* RFC 8414 section 3: the well-known part comes before the path of the issuer. */
static char *oauth_url(const char *issuer)
{
	cleanup_free char *server = NULL;
	cleanup_free char *path = NULL;

	url_split(issuer, &server, &path);
	return str_printf("%s%s%s", server, OAUTH_PATH, strcmp(path, "/") == 0 ? "" : path);
}

int issuer_find(struct issuer_client *client, struct err *err)
{
	cleanup(http_response_finish) struct http_response response = { 0 };
	size_t len = strlen(client->issuer);
	cleanup_free char *openid = NULL;
	cleanup_free char *oauth = NULL;

	if (client->at.token_url)
		return 0;
	if (!url_is_safe(client->issuer) || strchr(client->issuer, '?'))
		return err_set(
			err, ERR_INVALID,
			"oidc: '%.80s' is no issuer: write it like https://auth.example.org, "
			"or http:// for one on this machine",
			client->issuer);
	len -= len > 0 && client->issuer[len - 1] == '/';
	openid = str_printf("%.*s%s", (int)len, client->issuer, OPENID_PATH);
	if (get(client, openid, &response, err) < 0)
		return -1;
	if (response.status == 404) {
		oauth = oauth_url(client->issuer);
		if (get(client, oauth, &response, err) < 0)
			return -1;
	}
	if (response.status != 200) {
		http_refuse(response.status, err);
		return err_wrap(err, "issuer %s", client->issuer);
	}
	if (oidc_parse_issuer(buf_span(&response.body), client->issuer, &client->at, err) < 0)
		return err_wrap(err, "issuer %s", client->issuer);
	return 0;
}

static bool add_fields(struct buf *form, const char *const *fields)
{
	for (size_t i = 0; fields[i]; i += 2) {
		if (fields[i + 1] && !url_add_field(form, fields[i], fields[i + 1]))
			return false;
	}
	return true;
}

/* RFC 6749 section 2.3.1: both parts are escaped as in forms, then written as for HTTP Basic. */
static bool make_basic(const struct issuer_client *client, struct buf *ret)
{
	cleanup(buf_wipe) struct buf pair = BUF_INIT(FORM_MAX);
	cleanup(buf_wipe) struct buf encoded = BUF_INIT(TEXT_BASE64_SIZE(FORM_MAX));
	size_t size;
	char *text;

	if (!text_append_percent(&pair, client->id) || !buf_append_u8(&pair, ':') ||
	    !text_append_percent(&pair, client->secret))
		return false;
	size = TEXT_BASE64_SIZE(buf_len(&pair));
	text = (char *)buf_reserve(&encoded, size);
	if (!text)
		return false;
	text_base64(buf_span(&pair), text, size);
	return buf_printf(ret, "Authorization: Basic %s", text);
}

static int post(struct issuer_client *client, const char *url, const struct issuer_form *form,
		struct http_response *ret, struct err *err)
{
	cleanup(buf_wipe) struct buf body = BUF_INIT(FORM_MAX);
	cleanup(buf_wipe) struct buf basic = BUF_INIT(FORM_MAX * 2);
	const char *headers[] = { "Accept: application/json", NULL, NULL };
	bool in_header = client->secret && client->at.takes_basic;
	const char *const who[] = { "client_id", in_header ? NULL : client->id, "client_secret",
				    in_header ? NULL : client->secret, NULL };
	struct http_request request = { .method = "POST",
					.headers = headers,
					.content_type = URL_FORM_TYPE,
					.may_repeat = form->may_repeat };

	if (!add_fields(&body, form->fields) || !add_fields(&body, who) ||
	    (in_header && !make_basic(client, &basic)))
		return err_set(err, ERR_LIMIT, "more than %zu bytes for the issuer", FORM_MAX);
	if (in_header)
		headers[1] = buf_str(&basic);
	request.body = buf_span(&body);
	return send_to(client, url, &request, ret, err);
}

/* 429 and 5xx are about now; the other ones about what was asked. */
static int refuse(const struct issuer_client *client, const struct http_response *response,
		  struct oidc_refusal *refusal, struct err *err)
{
	bool is_no = response->status >= 400 && response->status < 500 && response->status != 429;

	if (is_no)
		oidc_parse_refusal(buf_span(&response->body), refusal);
	if (refusal->word[0])
		return err_set(err, ERR_DENIED, "issuer %s says %s%s%s", client->issuer,
			       refusal->word, refusal->text[0] ? ": " : "", refusal->text);
	http_refuse(response->status, err);
	return err_wrap(err, "issuer %s", client->issuer);
}

int issuer_get_tokens(struct issuer_client *client, const struct issuer_form *form,
		      struct oidc_tokens *ret, struct oidc_refusal *refusal, struct err *err)
{
	cleanup(http_response_finish) struct http_response response = { 0 };

	*refusal = (struct oidc_refusal){ 0 };
	if (issuer_find(client, err) < 0 ||
	    post(client, client->at.token_url, form, &response, err) < 0)
		return -1;
	if (response.status == 404 && client->at_is_old) {
		client->at_is_old = false;
		oidc_issuer_finish(&client->at);
		if (issuer_find(client, err) < 0 ||
		    post(client, client->at.token_url, form, &response, err) < 0)
			return -1;
	}
	if (response.status != 200)
		return refuse(client, &response, refusal, err);
	if (oidc_parse_tokens(buf_span(&response.body), ret, err) < 0)
		return err_wrap(err, "issuer %s", client->issuer);
	return 0;
}

int issuer_get_device(struct issuer_client *client, const char *scopes, struct oidc_device *ret,
		      struct err *err)
{
	const char *const fields[] = { "scope", scopes, NULL };
	const struct issuer_form form = { .fields = fields, .may_repeat = true };
	cleanup(http_response_finish) struct http_response response = { 0 };
	struct oidc_refusal refusal = { 0 };

	if (issuer_find(client, err) < 0)
		return -1;
	if (!client->at.device_url)
		return err_set(err, ERR_UNSUPPORTED,
			       "issuer %s has no logging in with a code on another device: try "
			       "'berth login --grant code'",
			       client->issuer);
	if (post(client, client->at.device_url, &form, &response, err) < 0)
		return -1;
	if (response.status != 200)
		return refuse(client, &response, &refusal, err);
	if (oidc_parse_device(buf_span(&response.body), ret, err) < 0)
		return err_wrap(err, "issuer %s", client->issuer);
	return 0;
}

int issuer_revoke(struct issuer_client *client, const char *kind, const char *token,
		  struct err *err)
{
	const char *const fields[] = { "token", token, "token_type_hint", kind, NULL };
	const struct issuer_form form = { .fields = fields, .may_repeat = true };
	cleanup(http_response_finish) struct http_response response = { 0 };
	struct oidc_refusal refusal = { 0 };

	if (issuer_find(client, err) < 0)
		return -1;
	if (!client->at.revoke_url)
		return err_set(err, ERR_UNSUPPORTED, "issuer %s does not take tokens back",
			       client->issuer);
	if (post(client, client->at.revoke_url, &form, &response, err) < 0)
		return -1;
	return response.status == 200 ? 0 : refuse(client, &response, &refusal, err);
}

int issuer_get_user(struct issuer_client *client, const char *token, json_t **ret, struct err *err)
{
	cleanup(http_response_finish) struct http_response response = { 0 };
	cleanup_free char *bearer = str_printf("Authorization: Bearer %s", token);
	const char *const headers[] = { "Accept: application/json", bearer, NULL };
	struct http_request request = { .headers = headers };
	int result;

	if (issuer_find(client, err) < 0)
		return -1;
	if (!client->at.userinfo_url)
		return err_set(err, ERR_UNSUPPORTED, "issuer %s tells nothing about its users",
			       client->issuer);
	result = send_to(client, client->at.userinfo_url, &request, &response, err);
	explicit_bzero(bearer, strlen(bearer));
	if (result < 0)
		return -1;
	if (response.status != 200) {
		http_refuse(response.status, err);
		return err_wrap(err, "issuer %s", client->issuer);
	}
	if (json_parse(buf_span(&response.body), OIDC_ANSWER_MAX, ret, NULL) < 0)
		return err_set(err, ERR_PROTOCOL, "issuer %s: what it tells is not JSON",
			       client->issuer);
	return 0;
}
