/* SPDX-License-Identifier: MIT */
/* The table of services and what they share; see service.h. */
#include "service.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#include "init/base/cleanup.h"
#include "init/base/log.h"

static const struct service *const services[] = {
	&service_process, &service_tcp,	 &service_unix,	  &service_listen, &service_accept,
	&service_info,	  &service_stat, &service_signal, &service_punch,  &service_connections,
};

/* Both may be NULL, for a request without the field. */
static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* "/x/" names everything below it, and not itself; "/x" may have a query. */
static bool path_matches(const char *pattern, const char *path)
{
	size_t len;

	if (!pattern || !path)
		return pattern == path;
	len = strlen(pattern);
	if (pattern[len - 1] != '/')
		return strncmp(pattern, path, len) == 0 && (path[len] == '\0' || path[len] == '?');
	return strncmp(pattern, path, len) == 0 && path[len] != '\0';
}

static const struct service *find(const struct h3_request *request)
{
	for (size_t i = 0; i < ARRAY_LEN(services); i++) {
		const struct service *service = services[i];

		if (same(service->method, request->method) &&
		    same(service->protocol, request->protocol) &&
		    path_matches(service->path, request->path))
			return service;
	}
	return NULL;
}

void service_open(struct service_env *env, struct h3_stream *stream,
		  const struct h3_request *request)
{
	const struct service *service = find(request);
	size_t max = env->config.streams_max ? env->config.streams_max : SERVICE_STREAMS_MAX;
	struct err err;

	if (!service)
		err_set(&err, ERR_NOT_FOUND, "this job offers no %s %s%s%s", request->method,
			request->path ? request->path : request->authority,
			request->protocol ? " " : "", request->protocol ? request->protocol : "");
	else if (env->closing)
		err_set(&err, ERR_UNAVAILABLE, "the job is ending");
	else if (env->streams >= max)
		err_set(&err, ERR_UNAVAILABLE, "%zu streams are open already, the most at once",
			env->streams);
	else {
		service->open(env, stream, request);
		return;
	}
	service_reject(stream, &err);
}

void service_reject(struct h3_stream *stream, const struct err *why)
{
	static const struct h3_stream_ops nobody = { 0 };

	h3_stream_set_ops(stream, &nobody, NULL);
	h3_stream_reject(stream, why);
}

/* Processes of 4096 streams need more descriptors than the usual soft limit of 1024. */
static void raise_files(void)
{
	struct rlimit most;

	if (getrlimit(RLIMIT_NOFILE, &most) < 0)
		return;
	most.rlim_cur = most.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &most) < 0)
		log_debug("services: descriptors stay limited");
}

/* An object goes in a close callback at the earliest: what it queued runs before. */
static void run_later(void *owner)
{
	struct service_env *env = owner;

	while (env->later) {
		struct service_later *later = env->later;

		env->later = later->next;
		later->queued = false;
		later->run(later);
	}
}

void service_later(struct service_env *env, struct service_later *later)
{
	if (later->queued)
		return;
	later->queued = true;
	later->next = env->later;
	env->later = later;
}

int service_env_open(struct service_env *env, const struct service_config *config, struct err *err)
{
	struct timespec now;

	*env = (struct service_env){ .config = *config };
	/* A process or a peer that reads no more is no reason to end. */
	signal(SIGPIPE, SIG_IGN);
	clock_gettime(CLOCK_REALTIME, &now);
	env->started = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
	rlimits_of_job(&env->limits);
	raise_files();
	if (reaper_open(&env->reaper, config->loop, err) < 0)
		return -1;
	turn_open(&env->turn, config->loop, run_later, env);
	return 0;
}

static void finish_close(struct service_env *env)
{
	if (env->handles == 0 && env->streams == 0)
		env->closed(env->owner);
}

static void on_reaper_closed(struct reaper *reaper)
{
	struct service_env *env = container_of(reaper, struct service_env, reaper);

	env->handles--;
	finish_close(env);
}

static void on_handle_closed(void *owner)
{
	struct service_env *env = owner;

	env->handles--;
	finish_close(env);
}

void service_env_close(struct service_env *env, void (*closed)(void *owner), void *owner)
{
	env->closing = true;
	env->closed = closed;
	env->owner = owner;
	env->handles = env->resolver ? 3 : 2;
	reaper_close(&env->reaper, on_reaper_closed);
	turn_close(&env->turn, on_handle_closed);
	if (env->resolver)
		resolver_close(take_ptr(env->resolver), on_handle_closed, env);
}

void service_enter(struct service_env *env)
{
	env->streams++;
}

void service_leave(struct service_env *env)
{
	env->streams--;
	if (env->closing)
		finish_close(env);
}

struct resolver *service_resolver(struct service_env *env)
{
	if (!env->resolver)
		env->resolver = resolver_new(env->config.loop, &env->config.names);
	return env->resolver;
}
