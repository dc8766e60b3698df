/* SPDX-License-Identifier: MIT */
/* GET /info: who answers here, as JSON. */
#include <jansson.h>
#include <time.h>
#include <unistd.h>

#include "init/base/cleanup.h"
#include "service.h"
#include "ways.h"

/* The answer is written at once, and nothing is asked of the request's body. */
static const struct h3_stream_ops no_ops = { 0 };

static void drop_json(json_t **json)
{
	json_decref(*json);
}

static json_t *describe(const struct service_env *env)
{
	char host[256] = "";
	struct timespec now;

	gethostname(host, sizeof(host) - 1);
	clock_gettime(CLOCK_REALTIME, &now);
	return json_pack("{s:i, s:{s:s, s:s, s:s}, s:i, s:s, s:i, s:i, s:i, s:f, s:f, s:i, s:o}",
			 "version", 1, "versions", "berth", BERTH_VERSION, "libuv",
			 uv_version_string(), "jansson", jansson_version_str(), "rank",
			 (int)env->config.rank, "host", host, "pid", (int)getpid(), "main_pid",
			 (int)env->config.main_pid, "uid", (int)getuid(), "started", env->started,
			 "uptime_s", (double)now.tv_sec + (double)now.tv_nsec / 1e9 - env->started,
			 "streams", (int)env->streams, "paths", ways_json(env));
}

static void open_info(struct service_env *env, struct h3_stream *stream,
		      const struct h3_request *request)
{
	__attribute__((__cleanup__(drop_json))) json_t *info = describe(env);
	cleanup_free char *text = info ? json_dumps(info, JSON_COMPACT) : NULL;
	struct err err;

	(void)request;
	if (!text) {
		/* The host's name is the only text that comes from outside. */
		err_set(&err, ERR_INTERNAL, "the host's name is not UTF-8");
		service_reject(stream, &err);
		return;
	}
	h3_stream_set_ops(stream, &no_ops, NULL);
	h3_stream_respond(stream, 200);
	/* A new stream has room for far more. */
	if (h3_stream_write(stream, span_of_str(text)))
		h3_stream_end(stream);
	else
		h3_stream_reset(stream);
}

const struct service service_info = { .method = "GET", .path = "/info", .open = open_info };
