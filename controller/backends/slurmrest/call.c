/* SPDX-License-Identifier: MIT */
/* Calls of slurmrestd; see call.h. */
#include "call.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "controller/backends/slurm/command.h"
#include "controller/backends/slurmrest/read.h"
#include "controller/run/child.h"
#include "init/base/fs.h"
#include "init/base/text.h"

#define TOKEN_MAX 16384
#define TOKEN_TIMEOUT_MS 60000
#define TOKEN_PREFIX "SLURM_JWT=" /* as `scontrol token` prints it */
#define VERSION_PREFIX "v0.0."

unsigned int slurmrest_parse_version(const char *text)
{
	uint64_t version;

	if (strncmp(text, VERSION_PREFIX, strlen(VERSION_PREFIX)) != 0 ||
	    !text_parse_uint(text + strlen(VERSION_PREFIX), SLURMREST_NEWEST, &version) ||
	    version < SLURMREST_OLDEST)
		return 0;
	return (unsigned int)version;
}

/* RFC 7515 writes base64 without padding, and with '-' and '_'. */
static bool decode_part(const char *text, size_t len, struct buf *ret)
{
	cleanup_free char *padded = str_printf("%.*s===", (int)len, text);
	size_t size = len * 3 / 4;
	uint8_t *bytes = buf_reserve(ret, size);

	padded[(len + 3) / 4 * 4] = '\0';
	for (char *p = padded; *p; p++) {
		if (*p == '-' || *p == '_')
			*p = *p == '-' ? '+' : '/';
	}
	if (!bytes || !text_parse_base64(padded, bytes, size))
		return false;
	buf_commit(ret, size);
	return true;
}

uint64_t slurmrest_token_end(const char *token)
{
	cleanup(buf_finish) struct buf text = BUF_INIT(TOKEN_MAX);
	cleanup(json_release) json_t *claims = NULL;
	const char *claims_text = strchr(token, '.');
	uint64_t end;
	size_t len;

	if (!claims_text)
		return 0;
	len = strcspn(++claims_text, ".");
	if (len == 0 || len > TOKEN_MAX || !decode_part(claims_text, len, &text) ||
	    json_parse(buf_span(&text), TOKEN_MAX, &claims, NULL) < 0 ||
	    !slurmrest_number(json_object_get(claims, "exp"), &end))
		return 0;
	return end;
}

static void forget_token(struct slurmrest *rest)
{
	if (rest->token)
		explicit_bzero(rest->token, strlen(rest->token));
	free(rest->token);
	rest->token = NULL;
}

static int run_command(const struct slurmrest *rest, struct buf *ret, struct err *err)
{
	const struct child_plan plan = { .argv = (const char *const *)rest->token_command,
					 .timeout_ms = TOKEN_TIMEOUT_MS };
	cleanup(child_finish) struct child child = { 0 };
	char why[240];

	if (child_run(&plan, &child, err) < 0)
		return err_wrap(err, "token_command");
	if (child.status != 0) {
		child_complaint(&child, why, sizeof(why));
		return err_set(err, ERR_UNAVAILABLE, "token_command ended with status %d: %s",
			       child.status, why);
	}
	if (!buf_append_span(ret, buf_span(&child.output)))
		return err_set(err, ERR_LIMIT, "token_command printed more than %d bytes",
			       TOKEN_MAX);
	explicit_bzero(child.output.mem, child.output.size);
	return 0;
}

static int find_token(struct slurmrest *rest, struct err *err)
{
	cleanup(buf_wipe) struct buf text = BUF_INIT(TOKEN_MAX);
	const char *token;
	size_t len;

	if (rest->token_command ? run_command(rest, &text, err) < 0
				: fs_read_file(rest->token_file, TOKEN_MAX, &text, err) < 0)
		return rest->token_command ? -1 : err_wrap(err, "token_file");
	token = buf_str(&text);
	token += strspn(token, " \r\n\t");
	if (strncmp(token, TOKEN_PREFIX, strlen(TOKEN_PREFIX)) == 0)
		token += strlen(TOKEN_PREFIX);
	len = strcspn(token, "\r\n");
	rest->token = str_dup_len(token, len);
	for (const char *p = rest->token; *p; p++) {
		if ((unsigned char)*p <= 0x20 || (unsigned char)*p >= 0x7f)
			len = 0;
	}
	if (len == 0) {
		forget_token(rest);
		return err_set(err, ERR_INVALID,
			       "%s gives no token: its first line is what 'scontrol token' prints",
			       rest->token_command ? "token_command" : "token_file");
	}
	return 0;
}

static bool has_token(const struct slurmrest *rest)
{
	return rest->token_command || rest->token_file;
}

/* One request with the token that we have. Any answer is success. */
static int send_once(struct slurmrest *rest, const struct http_request *request,
		     struct http_response *ret, struct err *err)
{
	cleanup_free char *token = NULL;
	cleanup_free char *user = str_printf("X-SLURM-USER-NAME: %s", rest->user);
	struct http_request with_token = *request;
	const char *headers[3] = { user, NULL, NULL };
	int result;

	if (!rest->token && has_token(rest) && find_token(rest, err) < 0)
		return -1;
	/* On a Unix socket the kernel tells who we are. */
	if (rest->token) {
		token = str_printf("X-SLURM-USER-TOKEN: %s", rest->token);
		headers[1] = token;
		with_token.headers = headers;
	}
	result = http_send(rest->http, &with_token, ret, err);
	if (token)
		explicit_bzero(token, strlen(token));
	return result;
}

/*
 * v0.0.38 says 500 when the token is not right: that it cannot load its configuration, or nothing
 * at all.
 */
static bool is_about_token(const struct http_response *response, const char *complaint)
{
	return response->status == 401 || response->status == 403 ||
	       (response->status == 500 && !complaint[0]) ||
	       strcasestr(complaint, "authentication") ||
	       strcasestr(complaint, "config is unable to load");
}

static int refuse_token(const struct slurmrest *rest, struct err *err)
{
	uint64_t end = rest->token ? slurmrest_token_end(rest->token) : 0;
	uint64_t now = (uint64_t)time(NULL);
	char ago[32];

	if (!has_token(rest))
		return err_set(err, ERR_DENIED,
			       "slurmrestd wants a token: set token_command, for example to "
			       "[scontrol, token], or token_file, of the cluster");
	if (end && end < now) {
		text_format_duration((now - end) * NSEC_PER_SEC, ago, sizeof(ago));
		return err_set(err, ERR_DENIED,
			       "the token expired %s ago: renew it ('scontrol token' makes one), "
			       "or set token_command",
			       ago);
	}
	return err_set(err, ERR_DENIED,
		       "slurmrestd does not take the token of user %s: is it of this cluster and "
		       "of this user, and does slurmctld run?",
		       rest->user);
}

static int explain(const struct slurmrest *rest, const struct http_response *response,
		   const char *complaint, struct err *err)
{
	if (is_about_token(response, complaint))
		return refuse_token(rest, err);
	if (!complaint[0])
		return http_refuse(response->status, err);
	return slurm_explain(complaint, err);
}

/*
 * A complaint beside what was asked for is a warning: v0.0.38 tells so of a job that it took and
 * that is held.
 */
static bool is_refusal(const struct http_response *response, const json_t *answer,
		       const char *complaint)
{
	return response->status >= 400 || (complaint[0] && !json_object_get(answer, "job_id"));
}

static int read_answer(struct http_response *response, json_t **ret, struct err *err)
{
	if (buf_len(&response->body) == 0) {
		*ret = json_object();
		return 0;
	}
	if (json_parse(buf_span(&response->body), SLURMREST_ANSWER_MAX, ret, err) < 0) {
		if (err)
			err->kind = ERR_PROTOCOL;
		return err_wrap(err, "slurmrestd's answer");
	}
	return 0;
}

static int send_request(struct slurmrest *rest, const struct http_request *request, json_t **ret,
			struct err *err)
{
	char complaint[BACKEND_REASON_MAX] = "";

	for (int tries = 0;; tries++) {
		cleanup(http_response_finish) struct http_response response = { 0 };
		cleanup(json_release) json_t *answer = NULL;

		if (send_once(rest, request, &response, err) < 0)
			return -1;
		/* Errors of its HTTP layer are plain text. */
		if (read_answer(&response, &answer, response.status < 400 ? err : NULL) < 0 &&
		    response.status < 400)
			return -1;
		slurmrest_complaint(answer, complaint, sizeof(complaint));
		if (!is_refusal(&response, answer, complaint)) {
			*ret = take_ptr(answer);
			return 0;
		}
		if (tries > 0 || !rest->token || !is_about_token(&response, complaint))
			return explain(rest, &response, complaint, err);
		forget_token(rest);
	}
}

int slurmrest_find_version(struct slurmrest *rest, struct err *err)
{
	for (unsigned int version = SLURMREST_NEWEST; !rest->version; version--) {
		cleanup_free char *path = str_printf("/slurm/" VERSION_PREFIX "%u/ping", version);
		cleanup(http_response_finish) struct http_response response = { 0 };
		const struct http_request request = { .path = path };

		if (version < SLURMREST_OLDEST)
			return err_set(err, ERR_UNSUPPORTED,
				       "it offers none of the versions v0.0.%d to v0.0.%d: start "
				       "slurmrestd with such a plugin (-s openapi/v0.0.%d), and "
				       "check that 'url' leads to slurmrestd",
				       SLURMREST_OLDEST, SLURMREST_NEWEST, SLURMREST_OLDEST);
		if (send_once(rest, &request, &response, err) < 0)
			return -1;
		if (response.status == 401)
			return refuse_token(rest, err);
		if (response.status != 404)
			rest->version = version;
	}
	return 0;
}

int slurmrest_call(struct slurmrest *rest, const struct slurmrest_call *call, json_t **ret,
		   struct err *err)
{
	cleanup_free char *path = NULL;
	cleanup_free char *body = NULL;
	struct http_request request = { .method = call->method,
					.may_repeat = call->may_repeat,
					.body_max = SLURMREST_ANSWER_MAX };

	if (slurmrest_find_version(rest, err) < 0)
		return -1;
	path = str_printf("/%s/" VERSION_PREFIX "%u%s", call->is_accounting ? "slurmdb" : "slurm",
			  rest->version, call->path);
	if (call->body) {
		body = json_dumps(call->body, JSON_COMPACT);
		if (!body)
			return err_set(err, ERR_INVALID, "not all of it is text in UTF-8");
		request.content_type = "application/json";
		request.body = span_of_str(body);
	}
	request.path = path;
	return send_request(rest, &request, ret, err);
}
