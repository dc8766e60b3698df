/* SPDX-License-Identifier: MIT */
/* Requests over libcurl; see http.h. */
#include "http.h"

#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>

#include "controller/http/internal.h"
#include "init/base/alloc.h"
#include "init/base/fd.h"

#define PAUSE_MS 100 /* the first; each next one may be twice as long */
#define PAUSE_MAX_MS 30000
#define UNIX_SCHEME "unix:"
#define SPEAKS_OTHERWISE "%s does not speak HTTP as it should: %s"

uint64_t http_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void http_response_finish(struct http_response *response)
{
	buf_wipe(&response->body);
	response->status = 0;
}

static bool is_host_url(const char *url, const char *scheme)
{
	size_t len = strlen(scheme);

	return strncasecmp(url, scheme, len) == 0 && url[len] && !strchr("/:?#@", url[len]);
}

bool http_url_is_valid(const char *url)
{
	for (const char *p = url; *p; p++) {
		if ((unsigned char)*p <= 0x20 || *p == 0x7f)
			return false;
	}
	if (strncmp(url, UNIX_SCHEME, strlen(UNIX_SCHEME)) == 0)
		return url[strlen(UNIX_SCHEME)] == '/';
	return (is_host_url(url, "http://") || is_host_url(url, "https://")) &&
	       !strpbrk(url, "?#@");
}

static void wipe_text(struct span text)
{
	if (text.ptr) {
		explicit_bzero((void *)(uintptr_t)text.ptr, text.len);
		free((void *)(uintptr_t)text.ptr);
	}
}

int http_open_program(const char *name, const char *const *argv, struct http **ret, struct err *err)
{
	cleanup(http_close) struct http *http = NULL;
	size_t len = 0;

	if (http_open("http://localhost", &http, err) < 0)
		return -1;
	while (argv[len])
		len++;
	http->program = new_array(char *, len + 1);
	for (size_t i = 0; i < len; i++)
		http->program[i] = str_dup(argv[i]);
	free(http->url);
	http->url = str_dup(name);
	if (http_listen(http, err) < 0)
		return -1;
	*ret = take_ptr(http);
	return 0;
}

int http_open(const char *url, struct http **ret, struct err *err)
{
	cleanup(http_close) struct http *http = new_zero(struct http);
	size_t len;

	http->listener = -1;
	if (!http_url_is_valid(url))
		return err_set(err, ERR_INVALID,
			       "'%.80s' is no address of a server: write it like http://host:6820, "
			       "https://host or unix:/path/of/socket",
			       url);
	if (curl_load(&http->curl, err) < 0)
		return -1;
	http->easy = http->curl->easy_init();
	if (!http->easy)
		return err_set(err, ERR_INTERNAL, "libcurl makes no handle");
	http->url = str_dup(url);
	if (strncmp(url, UNIX_SCHEME, strlen(UNIX_SCHEME)) == 0)
		http->socket = str_dup(url + strlen(UNIX_SCHEME));
	http->base = str_dup(http->socket ? "http://localhost" : url);
	for (len = strlen(http->base); len > 0 && http->base[len - 1] == '/'; len--)
		http->base[len - 1] = '\0';
	*ret = take_ptr(http);
	return 0;
}

struct http *http_close(struct http *http)
{
	if (http) {
		if (http->easy)
			http->curl->easy_cleanup(http->easy);
		if (http->multi)
			http->curl->multi_cleanup(http->multi);
		wipe_text(http->tls.authorities);
		wipe_text(http->tls.certificate);
		wipe_text(http->tls.key);
		for (char **word = http->program; word && *word; word++)
			free(*word);
		free(http->program);
		fd_close(http->listener);
		free(http->listening);
		free(http->url);
		free(http->base);
		free(http->socket);
		free(http->proxy);
		free(http->host);
		if (http->connect_to)
			http->curl->slist_free_all(http->connect_to);
		free(http);
	}
	return NULL;
}

static size_t hand_on(struct attempt *attempt, struct span piece)
{
	int result = attempt->request->received(attempt->request->owner, piece, &attempt->err);

	attempt->has_pieces = true;
	attempt->is_enough = result > 0;
	attempt->is_refused = result < 0;
	return result == 0 ? piece.len : CURL_WRITEFUNC_ERROR;
}

static size_t take_body(char *bytes, size_t size, size_t count, void *opaque)
{
	struct attempt *attempt = opaque;
	long status = 0;

	attempt->http->curl->easy_getinfo(attempt->easy, CURLINFO_RESPONSE_CODE, &status);
	if (attempt->request->received && status < 300)
		return hand_on(attempt, span_of(bytes, size * count));
	if (!buf_append(&attempt->response->body, bytes, size * count)) {
		attempt->is_too_large = true;
		return CURL_WRITEFUNC_ERROR;
	}
	return size * count;
}

static struct curl_slist *add_header(const struct http *http, struct curl_slist *list,
				     const char *header)
{
	struct curl_slist *longer = http->curl->slist_append(list, header);

	return longer ? longer : list;
}

struct curl_slist *http_make_headers(const struct http *http, const struct http_request *request)
{
	/* Without asking first ("Expect: 100-continue"): some servers never answer that. */
	struct curl_slist *list = add_header(http, NULL, "Expect:");
	cleanup_free char *type = NULL;

	if (http->host)
		list = add_header(http, list, http->host);
	if (request->content_type) {
		type = str_printf("Content-Type: %s", request->content_type);
		list = add_header(http, list, type);
	}
	for (const char *const *header = request->headers; header && *header; header++)
		list = add_header(http, list, *header);
	return list;
}

/* Headers may hold tokens. */
void http_free_headers(const struct http *http, struct curl_slist *list)
{
	for (struct curl_slist *header = list; header; header = header->next)
		explicit_bzero(header->data, strlen(header->data));
	http->curl->slist_free_all(list);
}

static const char *method_of(const struct http_request *request)
{
	return request->method ? request->method : "GET";
}

/* One line of a head, with its end; after an answer that was not the last one, others come. */
static size_t take_header(char *bytes, size_t size, size_t count, void *opaque)
{
	struct http_wanted *wanted = opaque;
	struct span line = span_of(bytes, size * count);

	for (; wanted->name; wanted++) {
		size_t len = strlen(wanted->name);
		struct span value = line;

		if (line.len >= 5 && memcmp(line.ptr, "HTTP/", 5) == 0)
			wanted->value[0] = '\0';
		if (wanted->value[0] || line.len <= len || line.ptr[len] != ':' ||
		    strncasecmp(bytes, wanted->name, len) != 0)
			continue;
		span_cut(&value, len + 1);
		while (value.len > 0 && (*value.ptr == ' ' || *value.ptr == '\t'))
			span_cut(&value, 1);
		while (value.len > 0 && value.ptr[value.len - 1] <= ' ')
			value.len--;
		if (value.len < sizeof(wanted->value) && !memchr(value.ptr, '\0', value.len)) {
			memcpy(wanted->value, value.ptr, value.len);
			wanted->value[value.len] = '\0';
		}
	}
	return size * count;
}

void http_set_request(const struct http *http, CURL *easy, const struct http_request *request,
		      struct curl_slist *headers)
{
	__typeof__(curl_easy_setopt) *set = http->curl->easy_setopt;

	http_set_target(http, easy);
	set(easy, CURLOPT_USERAGENT, "berth/" BERTH_VERSION);
	set(easy, CURLOPT_HTTPHEADER, headers);
	for (struct http_wanted *wanted = request->wanted; wanted && wanted->name; wanted++)
		wanted->value[0] = '\0';
	if (request->wanted) {
		set(easy, CURLOPT_HEADERFUNCTION, take_header);
		set(easy, CURLOPT_HEADERDATA, request->wanted);
	}
	if (request->body.len > 0 || strcmp(method_of(request), "POST") == 0) {
		set(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
		set(easy, CURLOPT_POSTFIELDS,
		    request->body.ptr ? (const char *)request->body.ptr : "");
	}
	if (request->method)
		set(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

uint64_t http_deadline_ms(const struct http_request *request)
{
	return http_now_ms() + (request->timeout_ms ? request->timeout_ms : HTTP_TIMEOUT_MS);
}

/* The handle keeps its connections when its options are reset. */
void http_attempt_begin(struct attempt *attempt, uint64_t deadline_ms)
{
	const struct http *http = attempt->http;
	const struct http_request *request = attempt->request;
	__typeof__(curl_easy_setopt) *set = http->curl->easy_setopt;
	cleanup_free char *url = str_printf("%s%s", http->base, request->path);
	uint64_t now = http_now_ms();
	uint64_t left_ms = deadline_ms > now ? deadline_ms - now : 1;
	CURL *easy = attempt->easy;

	attempt->headers = http_make_headers(http, request);
	attempt->why[0] = '\0';
	buf_clear(&attempt->response->body);
	http->curl->easy_reset(easy);
	http_set_request(http, easy, request, attempt->headers);
	set(easy, CURLOPT_URL, url);
	set(easy, CURLOPT_ERRORBUFFER, attempt->why);
	set(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)MIN(left_ms, (uint64_t)HTTP_CONNECT_MS));
	if (request->timeout_ms != HTTP_FOREVER)
		set(easy, CURLOPT_TIMEOUT_MS, (long)left_ms);
	set(easy, CURLOPT_WRITEFUNCTION, take_body);
	set(easy, CURLOPT_WRITEDATA, attempt);
	http_attempt_set_source(attempt);
}

void http_attempt_end(struct attempt *attempt)
{
	const struct http *http = attempt->http;
	curl_off_t wait = 0;
	long status = 0;

	http->curl->easy_getinfo(attempt->easy, CURLINFO_RESPONSE_CODE, &status);
	http->curl->easy_getinfo(attempt->easy, CURLINFO_RETRY_AFTER, &wait);
	attempt->response->status = (int)status;
	attempt->wait_ms = wait > 0 ? (uint64_t)MIN(wait, (curl_off_t)86400) * 1000 : 0;
	/* What it reads next belongs to nobody. */
	http->curl->easy_setopt(attempt->easy, CURLOPT_HTTPHEADER, NULL);
	http->curl->easy_setopt(attempt->easy, CURLOPT_ERRORBUFFER, NULL);
	http_free_headers(http, attempt->headers);
	attempt->headers = NULL;
}

static bool may_repeat(const struct http_request *request)
{
	const char *method = method_of(request);

	return request->may_repeat || strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0 ||
	       strcmp(method, "PUT") == 0 || strcmp(method, "DELETE") == 0;
}

bool http_attempt_is_worth_another(const struct attempt *attempt)
{
	const struct http_request *request = attempt->request;
	int status = attempt->response->status;

	if (attempt->has_pieces)
		return false;
	if (attempt->code == CURLE_OK) {
		if (status == 429 || status == 503)
			return may_repeat(request) || attempt->wait_ms > 0;
		return (status == 502 || status == 504) && may_repeat(request);
	}
	if (attempt->code == CURLE_COULDNT_CONNECT || attempt->code == CURLE_COULDNT_RESOLVE_HOST)
		return true;
	/* A program that ended has said why, and would say so again. */
	if (attempt->http->program)
		return false;
	return may_repeat(request) &&
	       (attempt->code == CURLE_RECV_ERROR || attempt->code == CURLE_SEND_ERROR ||
		attempt->code == CURLE_GOT_NOTHING || attempt->code == CURLE_PARTIAL_FILE);
}

uint64_t http_pause_ms(unsigned int tries, uint64_t asked_ms)
{
	uint64_t longest = (uint64_t)PAUSE_MS << tries;
	uint16_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = (uint16_t)http_now_ms();
	return MIN(asked_ms, (uint64_t)PAUSE_MAX_MS) + longest / 2 + random % (longest / 2 + 1);
}

void http_sleep_ms(uint64_t ms)
{
	struct timespec left = { .tv_sec = (time_t)(ms / 1000),
				 .tv_nsec = (long)(ms % 1000) * 1000000 };

	while (nanosleep(&left, &left) < 0)
		continue;
}

int http_explain(const struct http *http, const char *why, CURLcode code, unsigned int timeout_ms,
		 struct err *err)
{
	why = why[0] ? why : "it broke off";
	timeout_ms = timeout_ms ? timeout_ms : HTTP_TIMEOUT_MS;
	switch ((int)code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
		return err_set(
			err, ERR_UNAVAILABLE,
			"cannot reach %s: %s: does the server run, and is its address right?",
			http->url, why);
	case CURLE_OPERATION_TIMEDOUT:
		return err_set(err, ERR_TIMEOUT,
			       "%s did not answer within %u seconds: try again later", http->url,
			       (timeout_ms + 999) / 1000);
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
		return err_set(err, ERR_DENIED, "%s is not who it should be: %s", http->url, why);
	case CURLE_SSL_CERTPROBLEM:
		return err_set(err, ERR_INVALID, "our certificate for %s is of no use: %s",
			       http->url, why);
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
		if (http->program)
			return err_set(err, ERR_UNAVAILABLE,
				       "cannot reach %s: %s ended without an answer", http->url,
				       http->program[0]);
		/* In TLS 1.3 a server judges the client's certificate after the handshake. */
		if (strstr(why, "alert"))
			return err_set(err, ERR_DENIED, "%s does not take our certificate: %s",
				       http->url, why);
		return err_set(err, ERR_PROTOCOL, SPEAKS_OTHERWISE, http->url, why);
	default:
		return err_set(err, ERR_PROTOCOL, SPEAKS_OTHERWISE, http->url, why);
	}
}

int http_attempt_explain(const struct attempt *attempt, struct err *err)
{
	const struct http *http = attempt->http;

	if (attempt->code == CURLE_OK || attempt->is_enough)
		return 0;
	if (attempt->is_refused)
		return err_set(err, attempt->err.kind, "%s", attempt->err.text);
	if (attempt->is_too_large)
		return err_set(err, ERR_LIMIT, "%s: the answer is larger than %zu bytes", http->url,
			       attempt->response->body.max);
	return http_explain(http, attempt->why, attempt->code, attempt->request->timeout_ms, err);
}

int http_send(struct http *http, const struct http_request *request, struct http_response *ret,
	      struct err *err)
{
	struct attempt attempt = {
		.http = http, .request = request, .easy = http->easy, .response = ret
	};
	uint64_t deadline_ms = http_deadline_ms(request), pause;

	buf_wipe(&ret->body);
	buf_init(&ret->body, request->body_max ? request->body_max : HTTP_BODY_MAX);
	for (unsigned int tries = 0;; tries++) {
		http_attempt_begin(&attempt, deadline_ms);
		attempt.code = http->curl->easy_perform(http->easy);
		http_attempt_end(&attempt);
		pause = http_pause_ms(tries, attempt.wait_ms);
		if (tries + 1 == HTTP_TRIES || !http_attempt_is_worth_another(&attempt) ||
		    http_now_ms() + pause >= deadline_ms)
			return http_attempt_explain(&attempt, err);
		http_sleep_ms(pause);
	}
}

int http_refuse(int status, struct err *err)
{
	static const struct {
		int status;
		const char *advice;
	} words[] = {
		{ 400, "it does not understand the request" },
		{ 401, "the token is missing, wrong or expired: renew it" },
		{ 403, "it does not allow this with the token that it got" },
		{ 404, "there is no such thing, or the address is not right" },
		{ 413, "the request is too large" },
		{ 429, "too many requests: try again later" },
		{ 500, "it failed: its log says why" },
		{ 502, "nobody answers behind it: try again later" },
		{ 503, "it is not ready: try again later" },
		{ 504, "nobody answers behind it in time: try again later" },
	};
	enum err_kind kind = status == 401 ? ERR_DENIED : err_kind_from_http(status);

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (words[i].status == status)
			return err_set(err, kind, "the server answered %d: %s", status,
				       words[i].advice);
	}
	return err_set(err, kind, "the server answered %d", status);
}
