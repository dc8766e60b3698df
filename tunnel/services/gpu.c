/* SPDX-License-Identifier: MIT */
/* The GPUs of the job; see gpu.h. */
#include "gpu.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "init/base/alloc.h"
#include "init/base/cleanup.h"
#include "init/base/fd.h"
#include "init/base/log.h"
#include "login.h"
#include "spawn.h"

#define PROGRAM "nvidia-smi"
#define ANSWER_MAX (16 * 1024)

static char program[] = PROGRAM;
static char what[] = "--query-gpu=index,name,utilization.gpu,memory.used,memory.total";
static char how[] = "--format=csv,noheader,nounits";

/* Its path on the job's PATH. */
static bool find_program(const struct service_env *env, char out[PATH_MAX])
{
	const char *at = login_getenv(env->config.environment, span_of_str("PATH"));

	while (at && *at) {
		size_t len = strcspn(at, ":");
		int n = snprintf(out, PATH_MAX, "%.*s/%s", (int)MIN(len, (size_t)PATH_MAX), at,
				 program);

		if (at[0] == '/' && n < PATH_MAX && access(out, X_OK) == 0)
			return true;
		at += len + (at[len] == ':');
	}
	return false;
}

static void take_answer(struct gpu_query *query)
{
	char text[ANSWER_MAX];
	size_t len = 0;
	ssize_t n = 1;
	struct span rest;

	while (len < sizeof(text) && (n = read(query->output, text + len, sizeof(text) - len)) > 0)
		len += (size_t)n;
	rest = span_of(text, len);
	query->len = 0;
	while (query->len < GPU_MAX && stat_next_gpu(&rest, &query->gpus[query->len]))
		query->len++;
}

static void on_exited(struct reaper_child *child, int status)
{
	struct gpu_query *query = container_of(child, struct gpu_query, child);
	bool ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;

	query->running = false;
	uv_timer_stop(&query->limit);
	if (ok)
		take_answer(query);
	else
		query->len = 0;
	query->output = fd_close(query->output);
	query->next_ms = uv_now(query->env->config.loop) + (ok ? GPU_FRESH_MS : GPU_PAUSE_MS);
	query->done(query);
}

static void on_limit(uv_timer_t *timer)
{
	struct gpu_query *query = container_of(timer, struct gpu_query, limit);

	log_warn("stat: %s took too long", program);
	kill(-query->child.pid, SIGKILL);
}

static pid_t start(struct gpu_query *query, const char *path, int out, int null)
{
	const struct service_env *env = query->env;
	char *argv[] = { program, what, how, NULL };
	const struct spawn spawn = {
		.file = path,
		.argv = argv,
		.environment = env->config.environment,
		.in = null,
		.out = out,
		.err = null,
		.limits = &env->limits,
	};

	return spawn_run(&spawn, NULL);
}

bool gpu_ask(struct gpu_query *query, void (*done)(struct gpu_query *query))
{
	uint64_t now = uv_now(query->env->config.loop);
	cleanup_close int null = -1, out = -1;
	char path[PATH_MAX];
	int ends[2];
	pid_t pid;

	if (query->running || now < query->next_ms)
		return false;
	query->next_ms = now + GPU_PAUSE_MS;
	null = fd_open("/dev/null", O_RDWR);
	if (!find_program(query->env, path) || null < 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return false;
	query->output = ends[0];
	out = ends[1];
	pid = start(query, path, out, null);
	if (pid < 0) {
		query->output = fd_close(query->output);
		return false;
	}
	query->running = true;
	query->done = done;
	reaper_add(&query->env->reaper, &query->child, pid, on_exited);
	uv_timer_start(&query->limit, on_limit, GPU_LIMIT_MS, 0);
	return true;
}

void gpu_open(struct gpu_query *query, struct service_env *env)
{
	*query = (struct gpu_query){ .env = env, .output = -1 };
	uv_timer_init(env->config.loop, &query->limit);
}

static void on_closed(uv_handle_t *handle)
{
	struct gpu_query *query = container_of((uv_timer_t *)handle, struct gpu_query, limit);

	query->closed(query);
}

void gpu_close(struct gpu_query *query, void (*closed)(struct gpu_query *query))
{
	query->closed = closed;
	if (query->running) {
		reaper_remove(&query->env->reaper, &query->child);
		kill(-query->child.pid, SIGKILL);
		query->running = false;
	}
	query->output = fd_close(query->output);
	uv_close((uv_handle_t *)&query->limit, on_closed);
}
