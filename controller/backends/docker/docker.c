/* SPDX-License-Identifier: MIT */
/* The backend of container engines; see docker.h. */
#include "docker.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "controller/backends/docker/adopt.h"
#include "controller/backends/docker/container.h"
#include "controller/backends/docker/create.h"
#include "controller/backends/docker/exec.h"
#include "controller/backends/docker/files.h"
#include "controller/backends/docker/logs.h"
#include "controller/backends/docker/observe.h"
#include "controller/backends/docker/volume.h"
#include "init/base/fs.h"
#include "init/base/log.h"

struct docker {
	struct backend base;
	struct engine *engine;		   /* NULL: not looked for yet */
	char *url, *tls_dir;		   /* the user's, or NULL */
	struct docker_reading readings[2]; /* of standard output and error */
};

static struct docker *docker_of(struct backend *backend)
{
	return container_of(backend, struct docker, base);
}

static struct engine *engine_of(struct backend *backend)
{
	return docker_of(backend)->engine;
}

static int reach(struct backend *backend, struct err *err)
{
	struct docker *docker = docker_of(backend);
	const struct engine_config config = { .url = docker->url, .tls_dir = docker->tls_dir };

	return docker->engine ? 0 : engine_open(&config, &docker->engine, err);
}

static int submit(struct backend *backend, const struct submission *submission,
		  struct submitted *ret, struct err *err)
{
	/* What is wrong with it is told before an image is fetched. */
	if (docker_check(submission, err) < 0)
		return -1;
	return docker_submit(engine_of(backend), submission, ret, err);
}

/* What would be sent; what the image itself says of its command is known to the engine only. */
static int render(struct backend *backend, const struct submission *submission, struct buf *ret,
		  struct err *err)
{
	(void)backend;
	return docker_render(submission, ret, err);
}

static int observe(struct backend *backend, const struct job *const *jobs, size_t len,
		   struct observation *ret, struct err *err)
{
	return docker_observe_jobs(engine_of(backend), jobs, len, ret, err);
}

static int find(struct backend *backend, const struct job *job, char ret_id[BACKEND_ID_MAX],
		struct err *err)
{
	return docker_find_started(engine_of(backend), job->uid, ret_id, err);
}

/* One that is gone, or that has ended, is success. */
static int send_signal(struct engine *engine, const struct job *job, const char *signal,
		       struct err *err)
{
	cleanup_free char *what = str_printf("kill?signal=%s", signal);
	struct err own;

	if (docker_post(engine, job->native_id, what, &own) == 0 || own.kind == ERR_NOT_FOUND ||
	    own.kind == ERR_EXISTS)
		return 0;
	return err_set(err, own.kind, "%s", own.text);
}

static int signal_all(struct backend *backend, const char *signal, const struct job *const *jobs,
		      size_t len, struct err *err)
{
	struct engine *engine = engine_of(backend);
	int result = 0;

	for (size_t i = 0; i < len; i++) {
		if (send_signal(engine, jobs[i], signal, result == 0 ? err : NULL) < 0)
			result = -1;
	}
	return result;
}

/* An engine that starts a container again has to be told before that it is not to. */
static void end_restarts(struct engine *engine, const struct job *job)
{
	cleanup_free char *path = str_printf("/containers/%s/update", job->native_id);
	cleanup(json_release) json_t *body = json_pack("{s:{s:s}}", "RestartPolicy", "Name", "no");
	const struct engine_call call = { .method = "POST", .path = path, .body = body };
	struct err err;

	if (engine_call(engine, &call, NULL, &err) < 0)
		log_debug("container %s: %s", job->native_id, err.text);
}

static bool may_restart(struct engine *engine, const struct job *job)
{
	cleanup(json_release) json_t *answer = NULL;
	const json_t *policy;
	const char *name;

	if (docker_inspect(engine, job->native_id, &answer, NULL) < 0)
		return false;
	policy = json_object_get(json_object_get(answer, "HostConfig"), "RestartPolicy");
	name = json_string_value(json_object_get(policy, "Name"));
	return name && name[0] && strcmp(name, "no") != 0;
}

static int cancel(struct backend *backend, const struct job *const *jobs, size_t len,
		  struct err *err)
{
	struct engine *engine = engine_of(backend);

	for (size_t i = 0; i < len; i++) {
		if (may_restart(engine, jobs[i]))
			end_restarts(engine, jobs[i]);
	}
	return signal_all(backend, "TERM", jobs, len, err);
}

static int act_on(struct backend *backend, const struct act *act, const struct job *const *jobs,
		  size_t len, struct err *err)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", act->signal);
	return signal_all(backend, number, jobs, len, err);
}

static int kill_now(struct backend *backend, const struct job *job, struct err *err)
{
	return signal_all(backend, "KILL", &job, 1, err);
}

static int release(struct backend *backend, const struct job *job, struct err *err)
{
	return signal_all(backend, "URG", &job, 1, err);
}

/* The engine knows when each line was printed. */
static int log_since(struct backend *backend, const struct job *job, uint64_t since_ns,
		     struct log_part *part, struct err *err)
{
	(void)backend;
	(void)job;
	(void)err;
	part->since_ns = since_ns;
	return 0;
}

static int fetch_status(struct backend *backend, const struct job *job, unsigned int rank,
			struct err *err)
{
	cleanup_free char *name = str_printf("status.%u.json", rank);

	return docker_fetch_job_file(engine_of(backend), job->native_id, job->directory, name, err);
}

static int read_log(struct backend *backend, const struct job *job, const struct log_part *part,
		    struct buf *ret, struct err *err)
{
	const struct docker_source source = { .kind = "containers",
					      .id = job->native_id,
					      .is_over = job_state_is_ended(job->state) };
	struct docker *docker = docker_of(backend);

	return docker_read_log(engine_of(backend), &docker->readings[part->which == LOG_STDERR],
			       &source, part, ret, err);
}

/*
 * What a container that has ended still holds leads nowhere. To ask how it is costs the engine less
 * than another file of it.
 */
static int fetch_endpoint(struct engine *engine, const struct job *job, const char *name,
			  struct err *err)
{
	cleanup(json_release) json_t *answer = NULL;
	const json_t *running;

	if (docker_fetch_job_file(engine, job->native_id, job->directory, name, err) < 0 ||
	    docker_inspect(engine, job->native_id, &answer, err) < 0)
		return -1;
	running = json_object_get(json_object_get(answer, "State"), "Running");
	return json_is_true(running) ? 0
				     : err_set(err, ERR_NOT_FOUND, "the container does not run");
}

static int endpoint(struct backend *backend, const struct job *job, unsigned int rank, char **ret,
		    struct err *err)
{
	cleanup_free char *name = str_printf("endpoint.%u.json", rank);
	struct engine *engine = engine_of(backend);

	if ((job_is_adopted(job) ? docker_adopted_endpoint(engine, job, err)
				 : fetch_endpoint(engine, job, name, err)) < 0)
		return -1;
	*ret = fs_join(job->directory, name);
	return 0;
}

static int exec_in(struct backend *backend, const struct job *job, unsigned int rank,
		   const struct backend_exec *exec, int *ret_status, struct err *err)
{
	(void)rank;
	return docker_exec(engine_of(backend), job->native_id, exec, ret_status, err);
}

static int carry(struct backend *backend, const struct job *job, unsigned int rank,
		 const struct backend_carry *what, struct err *err)
{
	cleanup_free char *bundle = NULL;

	(void)rank;
	if (!job_is_adopted(job))
		bundle = str_dup(DOCKER_BUNDLE);
	else if (docker_adopted_bundle(job, &bundle, err) < 0)
		return -1;
	return docker_carry(engine_of(backend), job->native_id, bundle, what, err);
}

static int list_nodes(struct backend *backend, struct node_list *ret, struct err *err)
{
	const struct engine_call call = { .path = "/info" };
	cleanup(json_release) json_t *answer = NULL;
	struct node node = { 0 };
	const char *name, *architecture;

	if (engine_call(engine_of(backend), &call, &answer, err) < 0)
		return -1;
	name = json_string_value(json_object_get(answer, "Name"));
	architecture = json_string_value(json_object_get(answer, "Architecture"));
	node = (struct node){
		.name = str_dup(name ? name : "engine"),
		.queues = str_dup(""),
		.state = str_dup("up"),
		.reason = str_dup(""),
		.gres = str_dup(""),
		.architecture = str_dup(architecture ? architecture : ""),
		.cpus = (uint64_t)MAX(json_integer_value(json_object_get(answer, "NCPU")), 0),
		.memory = (uint64_t)MAX(json_integer_value(json_object_get(answer, "MemTotal")), 0),
	};
	node_list_take(ret, &node);
	return 0;
}

static int forget(struct backend *backend, const struct job *job, struct err *err)
{
	cleanup_free char *name = docker_container_name(job);
	struct err own;

	if (docker_remove(engine_of(backend), name, &own) == 0)
		return 0;
	/* One that could not be handed over has no container; of a crashed berth's, find tells. */
	if (job->native_id[0] == '\0' && (own.kind == ERR_UNAVAILABLE || own.kind == ERR_DENIED))
		return 0;
	return err_set(err, own.kind, "%s", own.text);
}

static int collect(struct backend *backend, struct err *err)
{
	return docker_collect_volumes(engine_of(backend), err);
}

static int deliver(struct backend *backend, const struct job *job, const char *name,
		   struct err *err)
{
	return job_is_adopted(job) ? docker_adopted_deliver(engine_of(backend), job, name, err)
				   : docker_put_file(engine_of(backend), job, name, err);
}

static int find_foreign(struct backend *backend, const char *name, struct job *ret, struct err *err)
{
	return docker_find_foreign(engine_of(backend), name, ret, err);
}

static int adopt(struct backend *backend, const struct submission *submission, struct err *err)
{
	return docker_adopt(engine_of(backend), submission, err);
}

static int abandon(struct backend *backend, const struct job *job, struct err *err)
{
	return docker_abandon(engine_of(backend), job, err);
}

static void close_backend(struct backend *backend)
{
	struct docker *docker = docker_of(backend);

	for (size_t i = 0; i < ARRAY_LEN(docker->readings); i++)
		docker_reading_finish(&docker->readings[i]);
	engine_close(docker->engine);
	free(docker->url);
	free(docker->tls_dir);
	free(docker);
}

static const struct backend_ops docker_backend_ops = {
	.name = "docker",
	.reach = reach,
	.submit = submit,
	.render = render,
	.observe = observe,
	.find = find,
	.cancel = cancel,
	.act = act_on,
	.cannot = {
		[ACT_HOLD] = "starts jobs at once: 'berth signal TSTP' stops one that runs",
		[ACT_RELEASE] = "starts jobs at once: there is none that waits",
		[ACT_REQUEUE] = "has no queue: 'berth cancel' the job and 'berth run' it again",
		[ACT_UPDATE] = "has no scheduler: 'berth cancel' the job and 'berth run' it again",
	},
	.kill = kill_now,
	.release = release,
	.fetch_status = fetch_status,
	.read_log = read_log,
	.log_since = log_since,
	.endpoint = endpoint,
	.list_nodes = list_nodes,
	.runs_containers = true,
	.forget = forget,
	.collect = collect,
	.deliver = deliver,
	.exec = exec_in,
	.carry = carry,
	.find_foreign = find_foreign,
	.adopt = adopt,
	.abandon = abandon,
	.close = close_backend,
};

int docker_backend_open(const struct backend_settings *settings, struct site *site,
			struct backend **ret, struct err *err)
{
	struct docker *docker = new_zero(struct docker);

	(void)site, (void)err;
	docker->base.ops = &docker_backend_ops;
	docker->url = settings->url ? str_dup(settings->url) : NULL;
	docker->tls_dir = settings->tls_dir ? str_dup(settings->tls_dir) : NULL;
	*ret = &docker->base;
	return 0;
}
