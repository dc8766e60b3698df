/* SPDX-License-Identifier: MIT */
/* The backend of Docker Swarm; see swarm.h. */
#include "swarm.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "controller/backends/docker/container.h"
#include "controller/backends/docker/credentials.h"
#include "controller/backends/docker/exec.h"
#include "controller/backends/docker/image.h"
#include "controller/backends/docker/logs.h"
#include "controller/backends/swarm/act.h"
#include "controller/backends/swarm/endpoint.h"
#include "controller/backends/swarm/lists.h"
#include "controller/backends/swarm/nodes.h"
#include "controller/backends/swarm/observe.h"
#include "controller/backends/swarm/programs.h"
#include "controller/backends/swarm/secrets.h"
#include "controller/backends/swarm/service.h"
#include "init/base/log.h"

/* A log that is read on, and whose it is. */
struct reading {
	struct docker_reading log;
	char service[BACKEND_ID_MAX], task[BACKEND_ID_MAX];
	uint64_t rank;
};

struct swarm_backend {
	struct backend base;
	struct swarm swarm;	      /* without an engine: not looked for yet */
	char *url, *tls_dir, *volume; /* the user's, or NULL */
	struct reading readings[2];   /* of standard output and error */
};

static struct swarm_backend *swarm_of(struct backend *backend)
{
	return container_of(backend, struct swarm_backend, base);
}

static struct swarm *cluster_of(struct backend *backend)
{
	return &swarm_of(backend)->swarm;
}

static int reach(struct backend *backend, struct err *err)
{
	struct swarm_backend *own = swarm_of(backend);
	const struct engine_config config = { .url = own->url, .tls_dir = own->tls_dir };

	return own->swarm.engine ? 0 : engine_open(&config, &own->swarm.engine, err);
}

static int create(struct swarm *swarm, const struct submission *submission, json_t *body,
		  struct submitted *ret, struct err *err)
{
	cleanup_free char *auth = NULL;
	cleanup(json_release) json_t *answer = NULL;
	struct engine_call call = { .method = "POST", .path = "/services/create", .body = body };
	const char *id;
	int result;

	if (credentials_header(submission->spec->image, &auth, err) < 0)
		return -1;
	call.header = auth;
	result = engine_call(swarm->engine, &call, &answer, err);
	if (auth)
		explicit_bzero(auth, strlen(auth));
	if (result < 0)
		return -1;
	id = swarm_text(answer, "ID");
	if (!id[0] || strlen(id) >= BACKEND_ID_MAX)
		return err_set(err, ERR_PROTOCOL, "the engine gave the service no id");
	snprintf(ret->native_id, sizeof(ret->native_id), "%s", id);
	ret->state = JOB_QUEUED;
	return 0;
}

static int hand_over(struct swarm *swarm, const char *volume, const struct submission *submission,
		     struct submitted *ret, struct err *err)
{
	cleanup(json_release) json_t *config = NULL;
	cleanup(json_release) json_t *secrets = NULL;
	cleanup(json_release) json_t *configs = NULL;
	cleanup(json_release) json_t *body = NULL;
	cleanup_free char *mount = NULL;
	const struct swarm_source source = { .volume = volume,
					     .bundle = submission->bundle,
					     .image = submission->spec->image };
	struct swarm_parts parts = { 0 };

	if (image_find(swarm->engine, submission, &config, err) < 0 ||
	    swarm_bring_programs(swarm, &source, &mount, &configs, err) < 0 ||
	    swarm_put_secrets(swarm->engine, submission->job, &secrets, err) < 0)
		return -1;
	parts = (struct swarm_parts){ .mount = mount, .configs = configs, .secrets = secrets };
	if (swarm_make_service(submission, config, &parts, &body, err) < 0)
		return -1;
	return create(swarm, submission, body, ret, err);
}

static int submit(struct backend *backend, const struct submission *submission,
		  struct submitted *ret, struct err *err)
{
	struct swarm *swarm = cluster_of(backend);

	/* What is wrong with it is told before an image is fetched. */
	if (swarm_check(submission, err) < 0 || swarm_greet(swarm, err) < 0)
		return -1;
	if (hand_over(swarm, swarm_of(backend)->volume, submission, ret, err) == 0)
		return 0;
	/* The first error is the one to report; 'berth gc' finds what is left. */
	if (swarm_remove_secrets(swarm->engine, submission->job, NULL) < 0)
		log_debug("Secrets of job %s are left over", submission->job->uid);
	return -1;
}

/* What would be sent; what the image itself says of its command is known to the engine only. */
static int render(struct backend *backend, const struct submission *submission, struct buf *ret,
		  struct err *err)
{
	const char *volume = swarm_of(backend)->volume;
	cleanup(json_release) json_t *secrets = swarm_plan_secrets(submission);
	const struct swarm_parts parts = { .mount = volume ? volume : submission->bundle,
					   .secrets = secrets };
	cleanup(json_release) json_t *body = NULL;

	if (swarm_check(submission, err) < 0 ||
	    swarm_make_service(submission, NULL, &parts, &body, err) < 0)
		return -1;
	if (!json_append_readable(ret, body))
		return err_set(err, ERR_LIMIT, "the description of the service is too long");
	return 0;
}

static int observe(struct backend *backend, const struct job *const *jobs, size_t len,
		   struct observation *ret, struct err *err)
{
	return swarm_observe_jobs(cluster_of(backend), jobs, len, ret, err);
}

/* A service is there as a whole, or not at all. */
static int find(struct backend *backend, const struct job *job, char ret_id[BACKEND_ID_MAX],
		struct err *err)
{
	cleanup_free char *name = swarm_service_name(job);
	cleanup_free char *path = str_printf("/services/%s", name);
	const struct engine_call call = { .path = path };
	cleanup(json_release) json_t *answer = NULL;
	struct swarm *swarm = cluster_of(backend);
	struct err own;

	if (engine_call(swarm->engine, &call, &answer, &own) < 0)
		return own.kind == ERR_NOT_FOUND ? 0 : err_set(err, own.kind, "%s", own.text);
	if (strlen(swarm_text(answer, "ID")) >= BACKEND_ID_MAX)
		return 0;
	snprintf(ret_id, BACKEND_ID_MAX, "%s", swarm_text(answer, "ID"));
	return 1;
}

static int cancel(struct backend *backend, const struct job *const *jobs, size_t len,
		  struct err *err)
{
	struct swarm *swarm = cluster_of(backend);
	int result = 0;

	for (size_t i = 0; i < len; i++) {
		struct err *why = result == 0 ? err : NULL;

		if ((jobs[i]->only[0] ? swarm_signal(swarm, jobs[i], "TERM", why)
				      : swarm_end(swarm, jobs[i], why)) < 0)
			result = -1;
	}
	return result;
}

static int signal_all(struct backend *backend, const char *signal, const struct job *const *jobs,
		      size_t len, struct err *err)
{
	struct swarm *swarm = cluster_of(backend);
	int result = 0;

	for (size_t i = 0; i < len; i++) {
		if (swarm_signal(swarm, jobs[i], signal, result == 0 ? err : NULL) < 0)
			result = -1;
	}
	return result;
}

static int act_on(struct backend *backend, const struct act *act, const struct job *const *jobs,
		  size_t len, struct err *err)
{
	char number[16];

	snprintf(number, sizeof(number), "%d", act->signal);
	return signal_all(backend, number, jobs, len, err);
}

static int release(struct backend *backend, const struct job *job, struct err *err)
{
	return signal_all(backend, "URG", &job, 1, err);
}

static int fetch_status(struct backend *backend, const struct job *job, unsigned int rank,
			struct err *err)
{
	cleanup(json_release) json_t *tasks = NULL;
	struct swarm_task task;
	struct swarm *swarm = cluster_of(backend);

	if (swarm_find_task(swarm, job, rank, &tasks, &task, err) < 0)
		return -1;
	if (!swarm_is_here(swarm, &task))
		return err_set(err, ERR_UNSUPPORTED, "the task runs on another node");
	return swarm_fetch_status(swarm, job, rank, &task, err);
}

/* Of a job with several tasks each has a log of its own, and there is no other. */
static bool has_log(const struct job *job, const struct log_part *part)
{
	bool has_many = job_is_array(job) || job->tasks > 1;

	return part->max > 0 && (!has_many || part->of_rank);
}

/* Which task it is; false: none that has begun. */
static bool find_log(struct swarm *swarm, struct reading *reading, const struct job *job,
		     uint64_t rank, struct err *err)
{
	cleanup(json_release) json_t *tasks = NULL;
	struct swarm_task task;

	if (swarm_find_task(swarm, job, rank, &tasks, &task, err) < 0)
		return false;
	if (!task.container[0])
		return err_set(err, ERR_NOT_FOUND, "it has no container yet") == 0;
	docker_reading_finish(&reading->log);
	snprintf(reading->service, sizeof(reading->service), "%s", job->native_id);
	snprintf(reading->task, sizeof(reading->task), "%s", task.id);
	reading->rank = rank;
	return true;
}

static int read_log(struct backend *backend, const struct job *job, const struct log_part *part,
		    struct buf *ret, struct err *err)
{
	struct reading *reading = &swarm_of(backend)->readings[part->which == LOG_STDERR];
	uint64_t rank = part->of_rank ? part->rank : 0;
	struct docker_source source = { .kind = "tasks",
					.id = reading->task,
					.is_over = job_state_is_ended(job->state) };
	struct swarm *swarm = cluster_of(backend);
	struct err own = { 0 };

	if (!has_log(job, part))
		return 0;
	/* A Swarm ends no log that is followed, not even that of a task that has ended. */
	if (source.is_over && reading->log.follows)
		docker_reading_finish(&reading->log);
	if (strcmp(reading->service, job->native_id) != 0 || reading->rank != rank ||
	    !docker_reading_is_at(&reading->log, reading->task, part)) {
		if (!find_log(swarm, reading, job, rank, &own))
			return own.kind == ERR_NOT_FOUND ? 0
							 : err_set(err, own.kind, "%s", own.text);
	}
	return docker_read_log(swarm->engine, &reading->log, &source, part, ret, err);
}

static int log_since(struct backend *backend, const struct job *job, uint64_t since_ns,
		     struct log_part *part, struct err *err)
{
	(void)backend, (void)job, (void)err;
	part->since_ns = since_ns;
	return 0;
}

static int endpoint(struct backend *backend, const struct job *job, unsigned int rank, char **ret,
		    struct err *err)
{
	return swarm_endpoint(cluster_of(backend), job, rank, ret, err);
}

static int carry(struct backend *backend, const struct job *job, unsigned int rank,
		 const struct backend_carry *what, struct err *err)
{
	return swarm_carry(cluster_of(backend), job, rank, what, err);
}

static int exec_in(struct backend *backend, const struct job *job, unsigned int rank,
		   const struct backend_exec *exec, int *ret_status, struct err *err)
{
	cleanup_free char *container = NULL;
	struct swarm *swarm = cluster_of(backend);

	if (swarm_find_container(swarm, job, rank, &container, err) < 0)
		return -1;
	return docker_exec(swarm->engine, container, exec, ret_status, err);
}

static int list_nodes(struct backend *backend, struct node_list *ret, struct err *err)
{
	struct swarm *swarm = cluster_of(backend);

	if (swarm_greet(swarm, err) < 0)
		return -1;
	return swarm_list_nodes(swarm->engine, ret, err);
}

static int forget(struct backend *backend, const struct job *job, struct err *err)
{
	cleanup_free char *name = swarm_service_name(job);
	struct swarm *swarm = cluster_of(backend);
	struct err own;

	/* A Secret that a service uses cannot be removed before that. */
	if (swarm_remove(swarm->engine, "services", name, &own) == 0 &&
	    swarm_remove_secrets(swarm->engine, job, &own) == 0)
		return 0;
	/* One that could not be handed over has no service; of a crashed berth's, find tells. */
	if (job->native_id[0] == '\0' && own.kind == ERR_UNAVAILABLE)
		return 0;
	return err_set(err, own.kind, "%s", own.text);
}

static int collect(struct backend *backend, struct err *err)
{
	return swarm_collect_programs(cluster_of(backend), err);
}

static int deliver(struct backend *backend, const struct job *job, const char *name,
		   struct err *err)
{
	return swarm_deliver(cluster_of(backend), job, name, err);
}

static void close_backend(struct backend *backend)
{
	struct swarm_backend *own = swarm_of(backend);

	for (size_t i = 0; i < ARRAY_LEN(own->readings); i++)
		docker_reading_finish(&own->readings[i].log);
	swarm_finish(&own->swarm);
	free(own->url);
	free(own->tls_dir);
	free(own->volume);
	free(own);
}

#define AGAIN "'berth cancel' the job and 'berth run' it again"

static const struct backend_ops swarm_backend_ops = {
	.name = "swarm",
	.reach = reach,
	.submit = submit,
	.render = render,
	.observe = observe,
	.find = find,
	.cancel = cancel,
	.act = act_on,
	.cannot = {
		[ACT_HOLD] = "a service that waits for a node cannot be held: " AGAIN,
		[ACT_RELEASE] = "holds no jobs: there is none that waits for that",
		[ACT_REQUEUE] = "has no queue: " AGAIN,
		[ACT_UPDATE] = "starts the tasks of a service anew when it is changed: " AGAIN,
	},
	.release = release,
	.fetch_status = fetch_status,
	.read_log = read_log,
	.log_since = log_since,
	.endpoint = endpoint,
	.list_nodes = list_nodes,
	.keeps_endpoints = true,
	.runs_containers = true,
	.carry = carry,
	.forget = forget,
	.collect = collect,
	.deliver = deliver,
	.exec = exec_in,
	.close = close_backend,
};

int swarm_backend_open(const struct backend_settings *settings, struct site *site,
		       struct backend **ret, struct err *err)
{
	struct swarm_backend *own;

	(void)site;
	if (settings->bundle_image)
		return err_set(err, ERR_INVALID,
			       "backend swarm has no containers beside the job's: set "
			       "'bundle_volume' to a directory or a volume of every node in place "
			       "of 'bundle_image', or neither");
	own = new_zero(struct swarm_backend);
	own->base.ops = &swarm_backend_ops;
	own->url = settings->url ? str_dup(settings->url) : NULL;
	own->tls_dir = settings->tls_dir ? str_dup(settings->tls_dir) : NULL;
	own->volume = settings->bundle_volume ? str_dup(settings->bundle_volume) : NULL;
	*ret = &own->base;
	return 0;
}
