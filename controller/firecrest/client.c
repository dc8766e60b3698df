/* SPDX-License-Identifier: MIT */
/* Calls of a FirecREST server; see client.h. */
#include "client.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

#include "controller/firecrest/answer.h"
#include "controller/firecrest/quoting.h"
#include "controller/http/http.h"
#include "init/base/alloc.h"
#include "init/base/log.h"
#include "init/base/text.h"

#define SYSTEM_WORD "{system}"
#define ADDRESS_MAX 65536
#define FORM_ROOM 1024
#define BOUNDARY_SIZE 48

struct firecrest {
	struct http *http;
	char *url, *system_name;
	struct token_source *tokens;
	uint64_t requests;
	enum quoting quoting;
	bool is_pbs;
};

/* A request as HTTP has it; what it points to is in here. */
struct prepared {
	struct http_request http;
	struct buf path;
	char *body;
	char *token_header;
	const char *headers[3];
};

static void prepared_finish(struct prepared *p)
{
	if (p->token_header)
		explicit_bzero(p->token_header, strlen(p->token_header));
	free(p->token_header);
	free(p->body);
	buf_finish(&p->path);
}
DEFINE_CLEANUP_VALUE(struct prepared, prepared_finish)

int firecrest_open(const struct firecrest_config *config, struct firecrest **ret, struct err *err)
{
	cleanup(firecrest_close) struct firecrest *fc = new_zero(struct firecrest);

	if (!config->url)
		return err_set(err, ERR_INVALID,
			       "set 'url' to the address of FirecREST, like "
			       "https://HOST/firecrest/v2");
	if (!config->system_name || !config->system_name[0])
		return err_set(err, ERR_INVALID,
			       "set 'system' to the name that FirecREST has for the machine");
	if (http_open(config->url, &fc->http, err) < 0)
		return err_wrap(err, "url");
	fc->url = str_dup(config->url);
	fc->system_name = str_dup(config->system_name);
	fc->tokens = config->tokens;
	fc->is_pbs = config->is_pbs;
	*ret = take_ptr(fc);
	return 0;
}

struct firecrest *firecrest_close(struct firecrest *fc)
{
	if (fc) {
		http_close(fc->http);
		free(fc->url);
		free(fc->system_name);
		free(fc);
	}
	return NULL;
}

const char *firecrest_url(const struct firecrest *fc)
{
	return fc->url;
}

const char *firecrest_system(const struct firecrest *fc)
{
	return fc->system_name;
}

bool firecrest_is_pbs(const struct firecrest *fc)
{
	return fc->is_pbs;
}

uint64_t firecrest_requests(const struct firecrest *fc)
{
	return fc->requests;
}

int firecrest_check_path(const char *path, struct err *err)
{
	if (path[0] != '/')
		return err_set(err, ERR_INVALID, "'%.200s' is no absolute path", path);
	for (const char *p = path; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return err_set(
				err, ERR_INVALID,
				"'%.200s' has a control character, which FirecREST cannot be "
				"told: rename it",
				path);
	}
	return 0;
}

static bool add_path(struct buf *b, const struct firecrest *fc, const char *path)
{
	const char *at = strstr(path, SYSTEM_WORD);

	if (!at)
		return buf_append(b, path, strlen(path));
	return buf_append(b, path, (size_t)(at - path)) &&
	       text_append_percent(b, fc->system_name) &&
	       buf_append(b, at + strlen(SYSTEM_WORD), strlen(at + strlen(SYSTEM_WORD)));
}

static bool add_query(struct buf *b, const struct firecrest *fc, const char *const *query)
{
	bool ok = true;

	for (size_t i = 0; ok && query && query[i]; i += 2) {
		cleanup_free char *path = strcmp(query[i], "path") == 0
						  ? quoting_write(fc->quoting, query[i + 1])
						  : NULL;

		ok = buf_append_u8(b, i == 0 ? '?' : '&') && text_append_percent(b, query[i]) &&
		     buf_append_u8(b, '=') && text_append_percent(b, path ? path : query[i + 1]);
	}
	return ok;
}

static const char *const body_paths[] = { "sourcePath", "targetPath", "linkPath" };

/* The text of a body, with its paths as the server wants them; free() it. */
static char *write_body(const struct firecrest *fc, const json_t *body)
{
	cleanup(json_release) json_t *copy = json_copy((json_t *)(uintptr_t)body);

	for (size_t i = 0; i < ARRAY_LEN(body_paths); i++) {
		const char *path = json_string_value(json_object_get(body, body_paths[i]));
		cleanup_free char *quoted = path ? quoting_write(fc->quoting, path) : NULL;

		if (quoted)
			json_object_set_new(copy, body_paths[i], json_string(quoted));
	}
	return json_dumps(copy, JSON_COMPACT);
}

/* 1: it has a quote; 0; -1: it cannot be told at all. */
static int check_one(const char *where, const char *path, struct err *err)
{
	if (firecrest_check_path(path, err) < 0)
		return -1;
	if (!quoting_is_for_jobs(where, path))
		return err_set(err, ERR_UNSUPPORTED,
			       "'%.200s' is too large to go directly, and has a character that the "
			       "server's job which carries it misunderstands: rename it",
			       path);
	return strchr(path, '\'') != NULL;
}

/* Whether one of them has a quote: 1; 0; -1: one cannot be told at all. */
static int check_paths(const struct firecrest_request *request, struct err *err)
{
	bool has_quote = false;

	for (size_t i = 0; request->query && request->query[i]; i += 2) {
		int one = strcmp(request->query[i], "path") == 0
				  ? check_one(request->path, request->query[i + 1], err)
				  : 0;

		if (one < 0)
			return -1;
		has_quote = has_quote || one;
	}
	for (size_t i = 0; i < ARRAY_LEN(body_paths); i++) {
		const char *path = json_string_value(json_object_get(request->body, body_paths[i]));

		int one = path ? check_one(request->path, path, err) : 0;

		if (one < 0)
			return -1;
		has_quote = has_quote || one;
	}
	return has_quote;
}

/* With the first path that has a quote. */
static int learn_quoting(struct firecrest *fc, struct err *err)
{
	enum quoting quoting = QUOTING_UNKNOWN;
	int result;

	if (fc->quoting != QUOTING_UNKNOWN)
		return 0;
	fc->quoting = QUOTING_PROPER; /* as the probe itself is written */
	result = quoting_ask(fc, &quoting, err);
	fc->quoting = quoting;
	return result;
}

static int prepare(struct firecrest *fc, const struct firecrest_request *request,
		   struct prepared *p, struct err *err)
{
	int has_quote = check_paths(request, err);

	if (has_quote < 0 || (has_quote && learn_quoting(fc, err) < 0))
		return -1;
	p->path = BUF_INIT(ADDRESS_MAX);
	if (!add_path(&p->path, fc, request->path) || !add_query(&p->path, fc, request->query))
		return err_set(err, ERR_LIMIT, "%s: what is asked for is too long", request->path);
	p->http = (struct http_request){
		.method = request->method,
		.path = buf_str(&p->path),
		.timeout_ms = request->timeout_ms ? request->timeout_ms : FIRECREST_TIMEOUT_MS,
		.body_max = FIRECREST_ANSWER_MAX,
		.may_repeat = request->may_repeat,
	};
	if (!request->body)
		return 0;
	p->body = write_body(fc, request->body);
	if (!p->body)
		return err_set(err, ERR_INVALID, "not all of it is text in UTF-8");
	p->http.content_type = "application/json";
	p->http.body = span_of_str(p->body);
	return 0;
}

static int authorize(struct firecrest *fc, bool fresh, struct prepared *p, struct err *err)
{
	const char *token;

	p->headers[0] = "Accept: application/json, application/octet-stream";
	p->http.headers = p->headers;
	if (!fc->tokens)
		return 0;
	if (token_get(fc->tokens, fresh, &token, err) < 0)
		return -1;
	if (p->token_header)
		explicit_bzero(p->token_header, strlen(p->token_header));
	free(p->token_header);
	p->token_header = str_printf("Authorization: Bearer %s", token);
	p->headers[1] = p->token_header;
	return 0;
}

/* Paths may be long; nothing of a query is a secret. */
static void note_request(struct firecrest *fc, const struct prepared *p)
{
	fc->requests++;
	log_debug("firecrest: request %" PRIu64 ": %s %.200s", fc->requests,
		  p->http.method ? p->http.method : "GET", p->http.path);
}

/* Sends it, and once more with a fresh token when the first is refused. */
static int send(struct firecrest *fc, struct prepared *p, struct http_response *ret,
		struct err *err)
{
	for (bool fresh = false;; fresh = true) {
		if (authorize(fc, fresh, p, err) < 0)
			return -1;
		note_request(fc, p);
		if (http_send(fc->http, &p->http, ret, err) < 0)
			return -1;
		if (ret->status != 401 || fresh || !fc->tokens)
			return 0;
	}
}

static int read_answer(struct http_response *response, json_t **ret, struct err *err)
{
	if (response->status >= 400)
		return firecrest_explain(response->status, buf_span(&response->body), err);
	if (response->status >= 300)
		return err_set(err, ERR_PROTOCOL,
			       "the server answered %d: 'url' has to be its last address, with its "
			       "prefix",
			       response->status);
	if (buf_len(&response->body) == 0) {
		*ret = json_object();
		return 0;
	}
	if (json_parse(buf_span(&response->body), FIRECREST_ANSWER_MAX, ret, err) < 0) {
		if (err)
			err->kind = ERR_PROTOCOL;
		return err_wrap(err, "the server's answer");
	}
	return 0;
}

static bool is_read(const struct firecrest_request *request)
{
	return !request->method || strcmp(request->method, "GET") == 0;
}

int firecrest_call(struct firecrest *fc, const struct firecrest_request *request, json_t **ret,
		   struct err *err)
{
	cleanup(prepared_finish) struct prepared p = { 0 };
	struct err own;

	if (prepare(fc, request, &p, err) < 0)
		return -1;
	for (int tries = 0;; tries++) {
		cleanup(http_response_finish) struct http_response response = { 0 };

		if (send(fc, &p, &response, err) < 0)
			return -1;
		if (read_answer(&response, ret, &own) == 0)
			return 0;
		/* Half an answer is worth a second question. */
		if (own.kind != ERR_PROTOCOL || tries > 0 || !is_read(request))
			return err_set(err, own.kind, "%s", own.text);
	}
}

/* The requests of firecrest_call_many(). */
struct batch {
	struct prepared *prepared;
	struct http_request *requests;
	struct http_response *responses;
	size_t len;
};

static void batch_finish(struct batch *b)
{
	for (size_t i = 0; i < b->len; i++) {
		prepared_finish(&b->prepared[i]);
		http_response_finish(&b->responses[i]);
	}
	free(b->prepared);
	free(b->requests);
	free(b->responses);
}
DEFINE_CLEANUP_VALUE(struct batch, batch_finish)

static int send_batch(struct firecrest *fc, struct batch *b, bool fresh, struct err *errs)
{
	for (size_t i = 0; i < b->len; i++) {
		if (authorize(fc, fresh && i == 0, &b->prepared[i], &errs[0]) < 0) {
			for (size_t n = 1; n < b->len; n++)
				errs[n] = errs[0];
			return -1;
		}
		b->requests[i] = b->prepared[i].http;
		note_request(fc, &b->prepared[i]);
	}
	return http_send_many(fc->http, b->requests, b->len, b->responses, errs);
}

static bool any_is_refused(const struct batch *b, const struct err *errs)
{
	for (size_t i = 0; i < b->len; i++) {
		if (errs[i].kind == ERR_NONE && b->responses[i].status == 401)
			return true;
	}
	return false;
}

/* All of them are reading, so that doing all again is harmless. */
static bool all_may_repeat(const struct firecrest_request *requests, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!is_read(&requests[i]) && !requests[i].may_repeat)
			return false;
	}
	return true;
}

int firecrest_call_many(struct firecrest *fc, const struct firecrest_request *requests, size_t len,
			json_t **ret, struct err *errs)
{
	cleanup(batch_finish) struct batch b = { .prepared = new_array(struct prepared, len + 1),
						 .requests =
							 new_array(struct http_request, len + 1),
						 .responses =
							 new_array(struct http_response, len + 1),
						 .len = len };
	int result = 0;

	for (size_t i = 0; i < len; i++) {
		ret[i] = NULL;
		errs[i] = (struct err){ 0 };
		if (prepare(fc, &requests[i], &b.prepared[i], &errs[i]) < 0)
			result = -1;
	}
	if (result < 0 || len == 0)
		return result;
	result = send_batch(fc, &b, false, errs);
	if (fc->tokens && any_is_refused(&b, errs) && all_may_repeat(requests, len))
		result = send_batch(fc, &b, true, errs);
	for (size_t i = 0; i < len; i++) {
		if (errs[i].kind != ERR_NONE ||
		    read_answer(&b.responses[i], &ret[i], &errs[i]) == 0)
			continue;
		/* Half an answer is worth a second question. */
		if (errs[i].kind != ERR_PROTOCOL || !is_read(&requests[i]) ||
		    firecrest_call(fc, &requests[i], &ret[i], &errs[i]) < 0)
			result = -1;
		else
			errs[i] = (struct err){ 0 };
	}
	return result;
}

/* The only name that needs quoting is one that has a quote or a backslash (RFC 7578). */
static bool add_form(struct buf *b, const char *boundary, const char *name, struct span bytes)
{
	bool ok = buf_printf(
		b, "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"", boundary);

	for (const char *p = name; ok && *p; p++)
		ok = *p == '"' ? buf_printf(b, "%%22") : buf_append_u8(b, (uint8_t)*p);
	return ok && buf_printf(b, "\"\r\nContent-Type: application/octet-stream\r\n\r\n") &&
	       buf_append_span(b, bytes) && buf_printf(b, "\r\n--%s--\r\n", boundary);
}

static int make_boundary(char out[BOUNDARY_SIZE], struct err *err)
{
	uint8_t random[16];
	char hex[2 * sizeof(random) + 1];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return err_set_errno(err, errno, "no random numbers");
	text_hex(span_of(random, sizeof(random)), hex, sizeof(hex));
	snprintf(out, BOUNDARY_SIZE, "berth-%s", hex);
	return 0;
}

/* A form's names know no way to write a quote for a shell that all servers read in the same way. */
static int check_name(struct firecrest *fc, const char *name, struct err *err)
{
	if (!strchr(name, '\''))
		return 0;
	if (learn_quoting(fc, err) < 0)
		return -1;
	return fc->quoting == QUOTING_PROPER
		       ? 0
		       : err_set(err, ERR_INVALID,
				 "'%.200s': the name of a file that goes directly must have no single "
				 "quote on this server: rename it",
				 name);
}

int firecrest_upload(struct firecrest *fc, const char *dir, const char *name, struct span bytes,
		     struct err *err)
{
	const char *const query[] = { "path", dir, NULL };
	/* The same bytes in the same place: twice is once. */
	const struct firecrest_request request = { .method = "POST",
						   .path = "/filesystem/{system}/ops/upload",
						   .query = query,
						   .may_repeat = true };
	cleanup(prepared_finish) struct prepared p = { 0 };
	cleanup(http_response_finish) struct http_response response = { 0 };
	cleanup(buf_wipe) struct buf form = BUF_INIT(bytes.len + strlen(name) * 3 + FORM_ROOM);
	cleanup_free char *type = NULL, *path = str_printf("%s/%s", dir, name);
	cleanup(json_release) json_t *answer = NULL;
	char boundary[BOUNDARY_SIZE];

	if (firecrest_check_path(path, err) < 0 || check_name(fc, name, err) < 0 ||
	    prepare(fc, &request, &p, err) < 0 || make_boundary(boundary, err) < 0)
		return -1;
	if (!add_form(&form, boundary, name, bytes))
		return err_set(err, ERR_INTERNAL, "the form has no room");
	type = str_printf("multipart/form-data; boundary=%s", boundary);
	p.http.content_type = type;
	p.http.body = buf_span(&form);
	if (send(fc, &p, &response, err) < 0 || read_answer(&response, &answer, err) < 0)
		return err_wrap(err, "%s", path);
	return 0;
}

int firecrest_download(struct firecrest *fc, const char *path, struct buf *ret, struct err *err)
{
	const char *const query[] = { "path", path, NULL };
	const struct firecrest_request request = { .path = "/filesystem/{system}/ops/download",
						   .query = query };
	cleanup(prepared_finish) struct prepared p = { 0 };
	cleanup(http_response_finish) struct http_response response = { 0 };

	if (prepare(fc, &request, &p, err) < 0 || send(fc, &p, &response, err) < 0)
		return -1;
	if (response.status >= 400)
		return firecrest_explain(response.status, buf_span(&response.body), err);
	if (!buf_append_span(ret, buf_span(&response.body)))
		return err_set(err, ERR_LIMIT, "%s: is larger than %zu bytes", path, ret->max);
	return 0;
}
