/* SPDX-License-Identifier: MIT */
/* Requests to a Kubernetes API server; see client.h. */
#include "client.h"

#include <string.h>
#include <time.h>

#include "init/base/text.h"

#define STATUS_MAX (256 * 1024)
#define WORDS_MAX 300
#define WORDS_WAIT_MS 2000
#define HEADERS_MAX (KUBE_AS_MAX + 3)
#define UNAUTHORIZED 401
#define GONE 410

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* Kinds of error for what err_kind_from_http() does not know, and advice. */
static const struct {
	int status;
	enum err_kind kind;
	const char *advice;
} answers[] = {
	{ UNAUTHORIZED, ERR_DENIED,
	  "; log in again with the tool that made the kubeconfig ('kubectl get pods' tells the "
	  "same)" },
	{ 403, ERR_DENIED, "; 'kubectl auth can-i --list' shows what you may do" },
	{ 404, ERR_NOT_FOUND, "" },
	{ 405, ERR_UNSUPPORTED, "" },
	{ 409, ERR_EXISTS, "" },
	{ GONE, ERR_UNAVAILABLE, "" },
	{ 413, ERR_LIMIT, "" },
	{ 415, ERR_UNSUPPORTED, "" },
	{ 422, ERR_INVALID, "" },
	{ 429, ERR_LIMIT, "; try again later" },
};

int kube_explain(int status, struct span body, struct err *err)
{
	cleanup(json_release) json_t *json = NULL;
	cleanup_free char *words = NULL;
	enum err_kind kind = err_kind_from_http(status);
	const char *said = NULL, *advice = "";

	if (json_parse(body, STATUS_MAX, &json, NULL) == 0)
		said = text_of(json, "message");
	if (!said || said[0] == '\0')
		return http_refuse(status, err);
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		if (answers[i].status == status) {
			kind = answers[i].kind;
			advice = answers[i].advice;
		}
	}
	words = str_dup_len(said, MIN(strlen(said), (size_t)WORDS_MAX));
	text_make_printable(words);
	return err_set(err, kind, "%s%s", words, advice);
}

static bool has_plugin(const struct kube *kube)
{
	return kube->access.plugin.command.len > 0 && !kube->tokens;
}

/* Connects, with a certificate of the plugin's when it gave one. */
static int connect(struct kube *kube, struct err *err)
{
	const struct kube_access *access = &kube->access;
	struct http_tls tls = { .authorities = buf_span(&access->authorities),
				.certificate = buf_span(&access->certificate),
				.key = buf_span(&access->key),
				.is_unchecked = access->is_unchecked,
				.server_name = access->server_name,
				.proxy = access->proxy };

	if (kube->given.certificate) {
		tls.certificate = span_of_str(kube->given.certificate);
		tls.key = span_of_str(kube->given.key);
	}
	if (kube->http) {
		kube->retired =
			alloc_grow(kube->retired, kube->retired_len + 1, sizeof(struct http *));
		kube->retired[kube->retired_len++] = take_ptr(kube->http);
	}
	if (http_open_tls(access->server, &tls, &kube->http, err) < 0)
		return err_wrap(err, "server of the kubeconfig");
	return 0;
}

static bool is_same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : !a && !b;
}

static bool has_expired(const struct kube_credential *credential)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return credential->expires_s && now.tv_sec >= credential->expires_s;
}

/* Another credential; the connection stays where it does not depend on that. */
static int renew(struct kube *kube, struct err *err)
{
	struct kube_credential given = { 0 };

	if (kube_plugin_run(&kube->access.plugin, &given, err) < 0)
		return err_wrap(err, "exec plugin of the kubeconfig");
	if (!is_same(given.certificate, kube->given.certificate))
		kube->is_ready = false;
	kube_credential_finish(&kube->given);
	kube->given = given;
	return 0;
}

static int prepare(struct kube *kube, bool fresh, struct err *err)
{
	if (has_plugin(kube) && (fresh || !kube->is_ready || has_expired(&kube->given)) &&
	    renew(kube, err) < 0)
		return -1;
	if (kube->is_ready)
		return 0;
	if (connect(kube, err) < 0)
		return -1;
	kube->is_ready = true;
	return 0;
}

/* NULL: there is none, and a certificate tells who we are, if anything does. */
static int find_token(struct kube *kube, bool fresh, const char **ret, struct err *err)
{
	*ret = kube->given.token ? kube->given.token : kube->access.token;
	if (!kube->tokens)
		return 0;
	return token_get(kube->tokens, fresh, ret, err);
}

static void wipe(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

struct headers {
	const char *lines[HEADERS_MAX];
	char *secret; /* one of them, or NULL */
};

static void headers_finish(struct headers *headers)
{
	wipe(headers->secret);
}
DEFINE_CLEANUP_VALUE(struct headers, headers_finish)

static int make_headers(struct kube *kube, bool fresh, struct headers *ret, struct err *err)
{
	const struct argv *as = &kube->access.as;
	size_t len = 0;
	const char *token;

	if (prepare(kube, fresh, err) < 0 || find_token(kube, fresh, &token, err) < 0)
		return -1;
	ret->lines[len++] = kube->names_only
				    ? "Accept: application/json;as=PartialObjectMetadataList;"
				      "g=meta.k8s.io;v=v1, application/json"
				    : "Accept: application/json, */*";
	for (size_t i = 0; i < MIN(as->len, (size_t)KUBE_AS_MAX); i++)
		ret->lines[len++] = as->items[i];
	if (token)
		ret->lines[len++] = ret->secret = str_printf("Authorization: Bearer %s", token);
	ret->lines[len] = NULL;
	return 0;
}

static int send_once(struct kube *kube, const struct http_request *request, bool fresh,
		     struct http_response *ret, struct err *err)
{
	struct http_request own = *request;
	cleanup(headers_finish) struct headers headers = { 0 };

	if (make_headers(kube, fresh, &headers, err) < 0)
		return -1;
	own.headers = headers.lines;
	return http_send(kube->http, &own, ret, err);
}

static bool can_renew(const struct kube *kube)
{
	return kube->tokens || has_plugin(kube);
}

/* Any answer is success. */
static int converse_with(struct kube *kube, const struct kube_call *call, const char *body,
			 struct http_response *ret, struct err *err)
{
	struct http_request request = { .method = call->method,
					.path = call->path,
					.may_repeat = call->may_repeat,
					.received = call->received,
					.owner = call->owner,
					.body_max = call->answer_max ? call->answer_max
								     : KUBE_ANSWER_MAX };

	if (body) {
		request.body = span_of_str(body);
		request.content_type = call->content_type ? call->content_type : "application/json";
	}
	if (send_once(kube, &request, false, ret, err) < 0)
		return -1;
	if (ret->status != UNAUTHORIZED || !can_renew(kube))
		return 0;
	http_response_finish(ret);
	*ret = (struct http_response){ 0 };
	return send_once(kube, &request, true, ret, err);
}

/* What is sent may be keys: it is wiped. */
static int converse(struct kube *kube, const struct kube_call *call, struct http_response *ret,
		    struct err *err)
{
	char *body = call->body ? json_dumps(call->body, JSON_COMPACT) : NULL;
	int result;

	if (call->body && !body)
		return err_set(err, ERR_INVALID, "not all of it is text in UTF-8");
	result = converse_with(kube, call, body, ret, err);
	wipe(body);
	return result;
}

static int parse(struct http_response *response, json_t **ret, struct err *err)
{
	if (response->status >= 300)
		return kube_explain(response->status, buf_span(&response->body), err);
	if (json_parse(buf_span(&response->body), KUBE_ANSWER_MAX, ret, err) < 0) {
		if (err)
			err->kind = ERR_PROTOCOL;
		return err_wrap(err, "the API server's answer");
	}
	return 0;
}

int kube_call(struct kube *kube, const struct kube_call *call, json_t **ret, struct err *err)
{
	cleanup(http_response_finish) struct http_response response = { 0 };

	if (converse(kube, call, &response, err) < 0)
		return -1;
	/* What nobody wants may be what was sent: it is wiped unread. */
	if (!ret && response.status < 300)
		return 0;
	return parse(&response, ret, err);
}

int kube_read(struct kube *kube, const struct kube_call *call, struct buf *ret, struct err *err)
{
	cleanup(http_response_finish) struct http_response response = { 0 };

	if (converse(kube, call, &response, err) < 0)
		return -1;
	if (response.status >= 300)
		return kube_explain(response.status, buf_span(&response.body), err);
	if (ret && !buf_append_span(ret, buf_span(&response.body)))
		return err_set(err, ERR_LIMIT, "more than %zu bytes", ret->max);
	return 0;
}

static int stream_once(struct kube *kube, const char *path, bool fresh, struct http_stream **ret,
		       struct err *err)
{
	struct http_request request = { .path = path };
	cleanup(headers_finish) struct headers headers = { 0 };

	if (make_headers(kube, fresh, &headers, err) < 0)
		return -1;
	request.headers = headers.lines;
	return http_stream_open(kube->http, &request, ret, err);
}

int kube_stream(struct kube *kube, const char *path, struct http_stream **ret,
		uint64_t *ret_later_ms, struct err *err)
{
	cleanup(http_stream_close) struct http_stream *stream = NULL;
	struct buf *words = NULL;
	struct span said = { 0 };
	int status;

	*ret_later_ms = 0;
	if (stream_once(kube, path, false, &stream, err) < 0)
		return -1;
	if (http_stream_status(stream) == UNAUTHORIZED && can_renew(kube)) {
		stream = http_stream_close(stream);
		if (stream_once(kube, path, true, &stream, err) < 0)
			return -1;
	}
	status = http_stream_status(stream);
	if (status < 300) {
		*ret = take_ptr(stream);
		return 0;
	}
	*ret_later_ms = status == GONE ? KUBE_TOO_OLD : http_stream_later_ms(stream);
	if (http_stream_read(stream, WORDS_WAIT_MS, &words, NULL) > 0)
		said = buf_span(words);
	return kube_explain(status, said, err);
}

static int upgrade_once(struct kube *kube, const char *path, const char *const *protocols,
			bool fresh, struct http_websocket **ret, struct http_response *response,
			struct err *err)
{
	struct http_request request = { .path = path };
	cleanup(headers_finish) struct headers headers = { 0 };

	if (make_headers(kube, fresh, &headers, err) < 0)
		return -1;
	request.headers = headers.lines;
	return http_websocket_open(kube->http, &request, protocols, ret, response, err);
}

int kube_upgrade(struct kube *kube, const char *path, const char *const *protocols,
		 struct http_websocket **ret, struct err *err)
{
	cleanup(http_response_finish) struct http_response response = { 0 };
	int result = upgrade_once(kube, path, protocols, false, ret, &response, err);

	if (result < 0 && response.status == UNAUTHORIZED && can_renew(kube))
		result = upgrade_once(kube, path, protocols, true, ret, &response, err);
	if (result == 0 || response.status < 300)
		return result;
	return kube_explain(response.status, buf_span(&response.body), err);
}

/* The path with the page that comes next: "" is the first, and limit 0 all of it in one. */
static char *page_path(const char *path, const char *selector, unsigned int limit, const char *from)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(64 * 1024);
	bool ok = buf_printf(&b, "%s%climit=%u", path, strchr(path, '?') ? '&' : '?', limit);

	if (selector)
		ok = ok && buf_printf(&b, "&labelSelector=") && text_append_percent(&b, selector);
	if (from[0])
		ok = ok && buf_printf(&b, "&continue=") && text_append_percent(&b, from);
	return ok ? buf_take_str(&b) : NULL;
}

/*
 * Appends a page; *from becomes where the next one begins, "" after the last, and *version that of
 * the list. 0, -1, or 1: gone.
 */
static int list_page(struct kube *kube, const char *path, json_t *items, char **from,
		     char **version, struct err *err)
{
	const struct kube_call call = { .path = path };
	cleanup(http_response_finish) struct http_response response = { 0 };
	cleanup(json_release) json_t *answer = NULL;
	const char *next;

	if (converse(kube, &call, &response, err) < 0)
		return -1;
	if (response.status == GONE && (*from)[0])
		return 1;
	if (parse(&response, &answer, err) < 0)
		return -1;
	json_array_extend(items, json_object_get(answer, "items"));
	next = text_of(json_object_get(answer, "metadata"), "resourceVersion");
	free(*version);
	*version = str_dup(next ? next : "0");
	next = text_of(json_object_get(answer, "metadata"), "continue");
	free(*from);
	*from = str_dup(next ? next : "");
	return 0;
}

int kube_list(struct kube *kube, const char *path, const char *selector, json_t **ret,
	      struct err *err)
{
	cleanup_free char *version = NULL;

	return kube_list_at(kube, path, selector, ret, &version, err);
}

int kube_list_at(struct kube *kube, const char *path, const char *selector, json_t **ret,
		 char **ret_version, struct err *err)
{
	cleanup_free char *version = NULL;
	cleanup(json_release) json_t *items = json_array();
	cleanup_free char *from = str_dup("");
	unsigned int limit = KUBE_PAGE;

	for (unsigned int page = 0; page < KUBE_PAGES_MAX; page++) {
		cleanup_free char *whole = page_path(path, selector, limit, from);
		int result;

		if (!whole)
			return err_set(err, ERR_PROTOCOL,
				       "the API server's place in a list is too long");
		result = list_page(kube, whole, items, &from, &version, err);
		if (result < 0)
			return -1;
		if (result > 0) {
			json_array_clear(items);
			free(from);
			from = str_dup("");
			limit = 0;
		} else if (from[0] == '\0') {
			*ret = take_ptr(items);
			*ret_version = take_ptr(version);
			return 0;
		}
	}
	return err_set(err, ERR_LIMIT, "a list of more than %d pages", KUBE_PAGES_MAX);
}

int kube_list_names(struct kube *kube, const char *path, const char *selector, json_t **ret,
		    struct err *err)
{
	int result;

	kube->names_only = true;
	result = kube_list(kube, path, selector, ret, err);
	kube->names_only = false;
	return result;
}

char *kube_path(const struct kube *kube, const char *api, const char *kind, const char *name)
{
	return kube_path_in(kube->namespace, api, kind, name);
}

char *kube_path_in(const char *namespace, const char *api, const char *kind, const char *name)
{
	cleanup(buf_finish) struct buf b = BUF_INIT(4096);
	bool ok = buf_printf(&b, "%s/namespaces/", api) && text_append_percent(&b, namespace) &&
		  buf_printf(&b, "/%s", kind);

	if (name)
		ok = ok && buf_printf(&b, "/") && text_append_percent(&b, name);
	return ok ? buf_take_str(&b) : str_dup("/");
}

static int open_tokens(const struct kube_config *config, struct kube *kube, struct err *err)
{
	const struct token_settings settings = { .cluster = "kubernetes",
						 .token_file = kube->access.token_file };

	kube->tokens = config->tokens;
	if (kube->tokens || kube->access.plugin.command.len > 0)
		return 0;
	if (token_source_open(&settings, &kube->own, err) < 0)
		return -1;
	kube->tokens = kube->own;
	return 0;
}

int kube_open(const struct kube_config *config, struct kube **ret, struct err *err)
{
	cleanup(kube_close) struct kube *kube = new_zero(struct kube);
	const char *namespace;

	if (kube_access_find(config->kubeconfig, config->context, &kube->access, err) < 0 ||
	    open_tokens(config, kube, err) < 0)
		return -1;
	namespace = config->namespace ? config->namespace : kube->access.namespace;
	kube->namespace = str_dup(namespace ? namespace : "default");
	*ret = take_ptr(kube);
	return 0;
}

struct kube *kube_close(struct kube *kube)
{
	if (kube) {
		for (size_t i = 0; i < kube->retired_len; i++)
			http_close(kube->retired[i]);
		free(kube->retired);
		http_close(kube->http);
		kube_access_finish(&kube->access);
		token_source_close(kube->own);
		kube_credential_finish(&kube->given);
		free(kube->namespace);
		free(kube);
	}
	return NULL;
}
