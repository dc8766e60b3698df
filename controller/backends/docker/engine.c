/* SPDX-License-Identifier: MIT */
/* The engine; see engine.h. */
#include "engine.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "controller/backends/docker/address.h"
#include "init/base/alloc.h"
#include "init/base/log.h"
#include "init/base/text.h"

struct engine *engine_close(struct engine *engine)
{
	if (engine) {
		http_close(engine->http);
		free(engine->address);
		free(engine->login);
		free(engine);
	}
	return NULL;
}

/* "[USER@]HOST[:PORT]"; ssh asks nothing: it has no terminal to ask on. */
static int open_ssh(struct address *address, struct http **ret, struct err *err)
{
	static const char there[] = "if command -v docker >/dev/null 2>&1; then "
				    "exec docker system dial-stdio; else "
				    "exec podman system dial-stdio; fi";
	char *colon = strrchr(address->login, ':');
	const char *argv[] = { "ssh", "-T", "-o", "BatchMode=yes", "-o",  "ConnectTimeout=10",
			       "-p",  "22", "--", address->login,  there, NULL };
	uint64_t port;

	if (colon && !text_parse_uint(colon + 1, 65535, &port))
		return err_set(err, ERR_INVALID,
			       "%s: write it like ssh://user@host or "
			       "ssh://user@host:22",
			       address->name);
	if (!colon) {
		/* Without a port, what ssh_config(5) says. */
		memmove(&argv[6], &argv[8], 4 * sizeof(argv[0]));
	} else {
		*colon = '\0';
		argv[7] = colon + 1;
	}
	return http_open_program(address->name, argv, ret, err);
}

int engine_open(const struct engine_config *config, struct engine **ret, struct err *err)
{
	cleanup(engine_close) struct engine *engine = new_zero(struct engine);
	cleanup(address_finish) struct address address = { 0 };

	if (address_find(config->url, config->tls_dir, &address, err) < 0)
		return -1;
	if (address.login     ? open_ssh(&address, &engine->http, err) < 0
	    : address.has_tls ? http_open_tls(address.url, &address.tls, &engine->http, err) < 0
			      : http_open(address.url, &engine->http, err) < 0)
		return -1;
	engine->is_here = address.is_here;
	engine->uid = address.uid;
	engine->address = take_ptr(address.name);
	engine->login = take_ptr(address.login);
	*ret = take_ptr(engine);
	return 0;
}

static bool parse_version(const char *text, unsigned int *ret)
{
	uint64_t minor;

	if (strncmp(text, "1.", 2) != 0 || !text_parse_uint(text + 2, 999, &minor))
		return false;
	*ret = (unsigned int)minor;
	return true;
}

static int choose_version(struct engine *engine, const char *newest, struct err *err)
{
	unsigned int theirs;

	if (!parse_version(newest, &theirs))
		return err_set(err, ERR_PROTOCOL,
			       "%s is no container engine: it does not tell its version",
			       engine->address);
	if (theirs < ENGINE_OLDEST)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s speaks version 1.%u of the API, and berth 1.%d and later: "
			       "update the engine",
			       engine->address, theirs, ENGINE_OLDEST);
	/* One that speaks no version as old as ours says so itself, to the first request. */
	engine->version = MIN(theirs, (unsigned int)ENGINE_NEWEST);
	return 0;
}

static int parse(struct span text, json_t **ret, struct err *err)
{
	if (text.len == 0) {
		*ret = json_object();
		return 0;
	}
	if (json_parse_any(text, ENGINE_ANSWER_MAX, ret, err) == 0)
		return 0;
	if (err)
		err->kind = ERR_PROTOCOL;
	return err_wrap(err, "the engine's answer");
}

/* 401 is about a registry: whose words are better than ours. */
static enum err_kind kind_of(int status)
{
	return status == 401 || status == 403 ? ERR_DENIED : err_kind_from_http(status);
}

int engine_refuse(struct http_response *response, struct err *err)
{
	cleanup(json_release) json_t *answer = NULL;
	cleanup_free char *message = NULL;
	const char *words;

	if (json_parse(buf_span(&response->body), ENGINE_ANSWER_MAX, &answer, NULL) < 0)
		return http_refuse(response->status, err);
	words = json_string_value(json_object_get(answer, "message"));
	if (!words || !words[0])
		return http_refuse(response->status, err);
	message = str_dup(words);
	message[strcspn(message, "\n")] = '\0';
	text_make_printable(message);
	return err_set(err, kind_of(response->status), "%s", message);
}

static int send_call(struct engine *engine, const char *path, const struct engine_call *call,
		     json_t **ret, struct err *err)
{
	cleanup(http_response_finish) struct http_response response = { 0 };
	cleanup(json_release) json_t *answer = NULL;
	cleanup_free char *body = NULL;
	const char *const headers[] = { call->header, NULL };
	struct http_request request = { .method = call->method,
					.path = path,
					.headers = headers,
					.timeout_ms = call->timeout_ms,
					.body_max = ENGINE_ANSWER_MAX,
					.may_repeat = call->may_repeat,
					.received = call->received,
					.owner = call->owner };

	if (call->body) {
		body = json_dumps(call->body, JSON_COMPACT);
		if (!body)
			return err_set(err, ERR_INVALID, "not all of it is text in UTF-8");
		request.content_type = "application/json";
		request.body = span_of_str(body);
	} else if (call->archive.len > 0) {
		request.content_type = "application/x-tar";
		request.body = call->archive;
	}
	if (http_send(engine->http, &request, &response, err) < 0)
		return -1;
	if (response.status >= 400)
		return engine_refuse(&response, err);
	if (!ret || call->received)
		return 0;
	if (parse(buf_span(&response.body), &answer, err) < 0)
		return -1;
	*ret = take_ptr(answer);
	return 0;
}

/* Headers of the answer to a ping, which is what costs an engine least. */
enum { VERSION, PODMAN, TOLD };

int engine_greet(struct engine *engine, struct err *err)
{
	struct http_wanted told[TOLD + 1] = {
		[VERSION] = { .name = "Api-Version" }, [PODMAN] = { .name = "Libpod-Api-Version" }
	};
	cleanup(http_response_finish) struct http_response response = { 0 };
	const struct http_request ping = { .path = "/_ping",
					   .body_max = ENGINE_ANSWER_MAX,
					   .wanted = told };

	if (engine->version)
		return 0;
	if (http_send(engine->http, &ping, &response, err) < 0)
		return -1;
	if (response.status >= 400)
		return engine_refuse(&response, err);
	if (choose_version(engine, told[VERSION].value, err) < 0)
		return -1;
	engine->is_podman = told[PODMAN].value[0] != '\0';
	log_debug("%s: version 1.%u of the API%s", engine->address, engine->version,
		  engine->is_podman ? ", Podman" : "");
	return 0;
}

char *engine_path(const struct engine *engine, const char *path)
{
	return str_printf("/v1.%u%s", engine->version, path);
}

int engine_call(struct engine *engine, const struct engine_call *call, json_t **ret,
		struct err *err)
{
	cleanup_free char *path = NULL;

	if (engine_greet(engine, err) < 0)
		return -1;
	path = engine_path(engine, call->path);
	return send_call(engine, path, call, ret, err);
}

static bool all_digits(const char *text, size_t len)
{
	return strspn(text, "0123456789") >= len;
}

uint64_t engine_time(const char *text)
{
	struct tm tm = { 0 };
	const char *rest;
	uint64_t ns = 0, unit = NSEC_PER_SEC;
	long offset = 0;
	time_t seconds;

	rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	if (!rest)
		return 0;
	if (*rest == '.') {
		for (rest++; *rest >= '0' && *rest <= '9'; rest++) {
			unit /= 10;
			ns += unit * (uint64_t)(*rest - '0');
		}
	}
	if ((*rest == '+' || *rest == '-') && all_digits(rest + 1, 2) && rest[3] == ':' &&
	    all_digits(rest + 4, 2))
		offset = (*rest == '-' ? -60 : 60) * ((rest[1] - '0') * 600 + (rest[2] - '0') * 60 +
						      (rest[4] - '0') * 10 + (rest[5] - '0'));
	seconds = timegm(&tm) - offset;
	/* "0001-01-01T00:00:00Z" is the engine's word for never. */
	return seconds > 0 ? (uint64_t)seconds * NSEC_PER_SEC + ns : 0;
}
