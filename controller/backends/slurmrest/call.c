/* SPDX-License-Identifier: MIT */
/* Calls of slurmrestd; see call.h. */
#include "call.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "controller/backends/slurm/command.h"
#include "controller/backends/slurmrest/read.h"
#include "init/base/text.h"

#define VERSION_PREFIX "v0.0."
#define NO_DATABASE "connect to database"

unsigned int slurmrest_parse_version(const char *text)
{
	uint64_t version;

	if (strncmp(text, VERSION_PREFIX, strlen(VERSION_PREFIX)) != 0 ||
	    !text_parse_uint(text + strlen(VERSION_PREFIX), SLURMREST_NEWEST, &version) ||
	    version < SLURMREST_OLDEST)
		return 0;
	return (unsigned int)version;
}

/* One request with the token that we have, or a fresh one. Any answer is success. */
static int send_once(struct slurmrest *rest, const struct http_request *request, bool fresh,
		     struct http_response *ret, struct err *err)
{
	cleanup_free char *header = NULL;
	cleanup_free char *user = str_printf("X-SLURM-USER-NAME: %s", rest->user);
	struct http_request with_token = *request;
	const char *headers[3] = { user, NULL, NULL };
	const char *token;
	int result;

	/* Without a token: on a Unix socket the kernel tells who we are. */
	if (rest->tokens) {
		if (token_get(rest->tokens, fresh, &token, err) < 0)
			return -1;
		header = str_printf("X-SLURM-USER-TOKEN: %s", token);
		headers[1] = header;
		with_token.headers = headers;
	}
	result = http_send(rest->http, &with_token, ret, err);
	if (header)
		explicit_bzero(header, strlen(header));
	return result;
}

/*
 * v0.0.38 says 500 when the token is not right: that it cannot load its configuration, or nothing
 * at all. v0.0.39 says then that there is no database, as where there is none.
 */
static bool is_about_token(const struct http_response *response, const char *complaint)
{
	return response->status == 401 || response->status == 403 ||
	       (response->status == 500 && !complaint[0]) ||
	       strcasestr(complaint, "authentication") ||
	       strcasestr(complaint, "config is unable to load") ||
	       strcasestr(complaint, NO_DATABASE);
}

static int refuse_token(const struct slurmrest *rest, const char *complaint, struct err *err)
{
	uint64_t end = rest->tokens ? token_end(rest->tokens) : 0;
	uint64_t now = (uint64_t)time(NULL);
	char ago[32];

	if (!rest->tokens)
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
		       "of this user, and does slurmctld run?%s",
		       rest->user,
		       strcasestr(complaint, NO_DATABASE)
			       ? " (v0.0.39 wants accounting, too: else set 'api' of the cluster "
				 "to another version that it has)"
			       : "");
}

static int explain(const struct slurmrest *rest, const struct http_response *response,
		   const char *complaint, struct err *err)
{
	if (is_about_token(response, complaint))
		return refuse_token(rest, complaint, err);
	if (!complaint[0])
		return http_refuse(response->status, err);
	return slurm_explain(complaint, err);
}

/*
 * A complaint beside what was asked for is a warning: v0.0.38 tells so of a job that it took and
 * that is held, and v0.0.39, with status 500, that there is no accounting.
 */
static bool is_refusal(const struct http_response *response, const json_t *answer,
		       const char *complaint)
{
	return !json_object_get(answer, "job_id") && (response->status >= 400 || complaint[0]);
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

/* {"meta": {"slurm": {"version": {"major": "24", "minor": "11"}}}}; v0.0.39 writes "Slurm". */
static void note_release(struct slurmrest *rest, const json_t *answer)
{
	const json_t *meta = json_object_get(answer, "meta");
	const json_t *slurm = json_object_get(meta, "slurm"), *version;
	uint64_t major, minor;

	version = json_object_get(slurm ? slurm : json_object_get(meta, "Slurm"), "version");
	if (slurmrest_number(json_object_get(version, "major"), &major) && major < 100 &&
	    slurmrest_number(json_object_get(version, "minor"), &minor) && minor < 100)
		rest->release = (unsigned int)(major * 100 + minor);
}

static int send_request(struct slurmrest *rest, const struct http_request *request, json_t **ret,
			struct err *err)
{
	char complaint[BACKEND_REASON_MAX] = "";

	for (int tries = 0;; tries++) {
		cleanup(http_response_finish) struct http_response response = { 0 };
		cleanup(json_release) json_t *answer = NULL;

		if (send_once(rest, request, tries > 0, &response, err) < 0)
			return -1;
		/* Errors of its HTTP layer are plain text. */
		if (read_answer(&response, &answer, response.status < 400 ? err : NULL) < 0 &&
		    response.status < 400)
			return -1;
		note_release(rest, answer);
		slurmrest_complaint(answer, complaint, sizeof(complaint));
		if (!is_refusal(&response, answer, complaint)) {
			*ret = take_ptr(answer);
			return 0;
		}
		if (tries > 0 || !rest->tokens || !is_about_token(&response, complaint))
			return explain(rest, &response, complaint, err);
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
		if (send_once(rest, &request, false, &response, err) < 0)
			return -1;
		if (response.status == 401)
			return refuse_token(rest, "", err);
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
