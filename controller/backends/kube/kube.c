/* SPDX-License-Identifier: MIT */
/* The backend of Kubernetes; see kube.h. */
#include "kube.h"

#include <stdio.h>
#include <string.h>

#include "controller/backends/kube/adopt.h"
#include "controller/backends/kube/bundle.h"
#include "controller/backends/kube/hold.h"
#include "controller/backends/kube/inside.h"
#include "controller/backends/kube/instance.h"
#include "controller/backends/kube/job.h"
#include "controller/backends/kube/nodes.h"
#include "controller/backends/kube/observe.h"
#include "controller/backends/kube/tasks.h"
#include "init/base/log.h"

#define JOBS "/apis/batch/v1"

static struct kube_images images_of(struct backend *backend)
{
	const struct kube_backend *own = kube_of(backend);

	return (struct kube_images){ own->bundle_image, own->bundle_volume };
}

static int reach(struct backend *backend, struct err *err)
{
	struct kube_backend *own = kube_of(backend);
	const struct kube_config config = { .kubeconfig = own->kubeconfig,
					    .context = own->context,
					    .namespace = own->namespace,
					    .tokens = own->tokens };

	return own->kube ? 0 : kube_open(&config, &own->kube, err);
}

static int set_id(const struct kube *kube, const char *name, char ret_id[BACKEND_ID_MAX],
		  struct err *err)
{
	int len = snprintf(ret_id, BACKEND_ID_MAX, "%s/%s", kube->namespace, name);

	if (len < 0 || len >= BACKEND_ID_MAX)
		return err_set(err, ERR_LIMIT, "the name of the namespace is too long");
	return 0;
}

static int submit(struct backend *backend, const struct submission *submission,
		  struct submitted *ret, struct err *err)
{
	cleanup_free char *name = kube_job_name(submission->job);
	const struct kube_images images = images_of(backend);
	struct kube *kube = kube_client(backend);

	if (set_id(kube, name, ret->native_id, err) < 0 ||
	    kube_hand_over(kube, submission, &images, err) < 0)
		return -1;
	ret->state = JOB_QUEUED;
	return 0;
}

static int render(struct backend *backend, const struct submission *submission, struct buf *ret,
		  struct err *err)
{
	const struct kube_images images = images_of(backend);
	cleanup(json_release) json_t *body = NULL;

	if (kube_compose(submission, &images, false, &body, err) < 0)
		return -1;
	if (!json_append_readable(ret, body))
		return err_set(err, ERR_LIMIT, "the manifest is too long");
	return 0;
}

static int observe(struct backend *backend, const struct job *const *jobs, size_t len,
		   struct observation *ret, struct err *err)
{
	struct kube_backend *own = kube_of(backend);

	return kube_observe_jobs(own->kube, own->watch, jobs, len, ret, err);
}

/* Where it is not allowed to watch, or cannot be done, jobs are listed again and again. */
static bool await(struct backend *backend, unsigned int timeout_ms)
{
	struct kube_backend *own = kube_of(backend);
	struct err why;

	if (own->cannot_watch)
		return false;
	if (!own->watch)
		own->watch = kube_job_watch_new(own->kube);
	if (kube_job_watch_wait(own->watch, timeout_ms, &why) == 0)
		return true;
	log_debug("watching: %s", why.text);
	own->watch = kube_job_watch_free(own->watch);
	own->cannot_watch = true;
	return false;
}

/* A hand-over that was begun is brought to its end: the job is there as if nothing had happened. */
static int find(struct backend *backend, const struct job *job, char ret_id[BACKEND_ID_MAX],
		struct err *err)
{
	const struct kube_images images = images_of(backend);
	cleanup_free char *name = kube_job_name(job);
	cleanup(json_release) json_t *made = NULL;
	struct kube *kube = kube_client(backend);
	cleanup_free char *path = kube_path(kube, JOBS, "jobs", name);
	const struct kube_call call = { .path = path };
	struct err own;

	if (kube_call(kube, &call, &made, &own) < 0)
		return own.kind == ERR_NOT_FOUND ? 0 : err_set(err, own.kind, "%s", own.text);
	if (kube_complete(kube, job, &images, made, err) < 0)
		return -1;
	return set_id(kube, name, ret_id, err) < 0 ? -1 : 1;
}

static int cancel_one(struct kube *kube, const struct job *job, struct err *err)
{
	return job->only[0] ? kube_cancel_tasks(kube, job, false, err)
			    : kube_delete_job(kube, job, "Foreground", err);
}

static int cancel(struct backend *backend, const struct job *const *jobs, size_t len,
		  struct err *err)
{
	struct kube *kube = kube_client(backend);
	int result = 0;

	for (size_t i = 0; i < len; i++) {
		if (cancel_one(kube, jobs[i], result == 0 ? err : NULL) < 0)
			result = -1;
	}
	return result;
}

static int kill_now(struct backend *backend, const struct job *job, struct err *err)
{
	struct kube *kube = kube_client(backend);

	if (job->only[0] != '\0')
		return kube_cancel_tasks(kube, job, true, err);
	if (kube_delete_job(kube, job, "Foreground", err) < 0)
		return -1;
	return kube_kill_pods(kube, job, err);
}

/* The kubelet knows when each line was printed. */
static int log_since(struct backend *backend, const struct job *job, uint64_t since_ns,
		     struct log_part *part, struct err *err)
{
	(void)backend;
	(void)job;
	(void)err;
	part->since_ns = since_ns;
	return 0;
}

static int act_on(struct backend *backend, const struct act *act, const struct job *const *jobs,
		  size_t len, struct err *err)
{
	struct kube *kube = kube_client(backend);
	int result = 0;

	for (size_t i = 0; i < len; i++) {
		if (kube_suspend(kube, jobs[i], act->kind == ACT_HOLD, result == 0 ? err : NULL) <
		    0)
			result = -1;
	}
	return result;
}

static int read_log(struct backend *backend, const struct job *job, const struct log_part *part,
		    struct buf *ret, struct err *err)
{
	return kube_read_log(kube_client(backend), kube_of(backend)->readings, job, part, ret, err);
}

static int list_runs(struct backend *backend, const struct job *job, struct run_list *ret,
		     struct err *err)
{
	return kube_list_runs(kube_client(backend), job, ret, err);
}

static int list_nodes(struct backend *backend, struct node_list *ret, struct err *err)
{
	return kube_list_nodes(kube_client(backend), ret, err);
}

static int list_queues(struct backend *backend, struct queue_list *ret, struct err *err)
{
	return kube_list_queues(kube_client(backend), ret, err);
}

static int forget(struct backend *backend, const struct job *job, struct err *err)
{
	return kube_delete_job(kube_client(backend), job, "Background", err);
}

static int collect(struct backend *backend, struct err *err)
{
	return kube_bundle_collect(kube_client(backend), err);
}

static int find_foreign(struct backend *backend, const char *name, struct job *ret, struct err *err)
{
	return kube_find_foreign(kube_client(backend), name, ret, err);
}

static int adopt(struct backend *backend, const struct submission *submission, struct err *err)
{
	return kube_adopt(kube_client(backend), submission, kube_of(backend)->bundle_image, err);
}

static int abandon(struct backend *backend, const struct job *job, struct err *err)
{
	return kube_abandon(kube_client(backend), job, err);
}

static void close_backend(struct backend *backend)
{
	struct kube_backend *own = kube_of(backend);

	kube_job_watch_free(own->watch);
	for (size_t i = 0; i < KUBE_READINGS_MAX; i++)
		kube_reading_finish(&own->readings[i]);
	kube_close(own->kube);
	free(own->kubeconfig);
	free(own->context);
	free(own->namespace);
	free(own->bundle_image);
	free(own->bundle_volume);
	free(own);
}

#define AGAIN "'berth cancel' the job and 'berth run' it again"

static const struct backend_ops kube_backend_ops = {
	.name = "kubernetes",
	.reach = reach,
	.submit = submit,
	.render = render,
	.observe = observe,
	.await = await,
	.find = find,
	.cancel = cancel,
	.cannot = {
		[ACT_SIGNAL] = "has no request for signals: 'berth cancel' ends the job",
		[ACT_REQUEUE] = "tries a job once: " AGAIN,
		[ACT_UPDATE] = "a Job cannot be changed: " AGAIN,
	},
	.act = act_on,
	.kill = kill_now,
	.release = kube_inside_release,
	.fetch_status = kube_inside_fetch_status,
	.read_log = read_log,
	.log_since = log_since,
	.endpoint = kube_inside_endpoint,
	.list_runs = list_runs,
	.list_nodes = list_nodes,
	.list_queues = list_queues,
	.runs_containers = true,
	.carry = kube_inside_carry,
	.deliver = kube_inside_deliver,
	.exec = kube_inside_exec,
	.find_foreign = find_foreign,
	.adopt = adopt,
	.abandon = abandon,
	.forget = forget,
	.collect = collect,
	.keeps_endpoints = true,
	.close = close_backend,
};

int kube_backend_open(const struct backend_settings *settings, struct site *site,
		      struct backend **ret, struct err *err)
{
	struct kube_backend *own;

	(void)site;
	if (settings->url)
		return err_set(err, ERR_INVALID,
			       "backend kubernetes finds its server in a kubeconfig: set "
			       "'kubeconfig' and 'kube_context' in place of 'url'");
	own = new_zero(struct kube_backend);
	own->base.ops = &kube_backend_ops;
	own->kubeconfig = settings->kubeconfig ? str_dup(settings->kubeconfig) : NULL;
	own->context = settings->kube_context ? str_dup(settings->kube_context) : NULL;
	own->namespace = settings->namespace ? str_dup(settings->namespace) : NULL;
	own->bundle_image = settings->bundle_image ? str_dup(settings->bundle_image) : NULL;
	own->bundle_volume = settings->bundle_volume ? str_dup(settings->bundle_volume) : NULL;
	own->tokens = settings->tokens;
	*ret = &own->base;
	return 0;
}
