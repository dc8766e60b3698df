/* SPDX-License-Identifier: MIT */
/* How jobs are; see observe.h. */
#include "observe.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controller/backends/jobdir.h"
#include "controller/backends/kube/events.h"
#include "controller/backends/kube/foreign.h"
#include "controller/backends/kube/job.h"
#include "controller/backends/kube/job_state.h"
#include "controller/backends/kube/manifest.h"
#include "controller/backends/kube/pod_state.h"
#include "controller/backends/kube/watch.h"
#include "init/base/alloc.h"

/* Of two that are waited for, how long for the first before the second is looked at. */
#define SLICE_MS 200
#define EVENTS_S 15
#define GONE "there is no such Job: was it removed, or has the cluster's namespace changed?"

static void read_missing(const struct job *record, struct observation *ret)
{
	struct observation gone = { .state = record->cancel_requested ? JOB_CANCELLED : JOB_UNKNOWN,
				    .exit_code = JOB_NO_EXIT_CODE,
				    .runs = ret->runs };

	jobdir_copy_text(gone.reason, sizeof(gone.reason), record->cancel_requested ? "" : GONE);
	for (size_t i = 0; ret->runs && i < ret->runs->len; i++) {
		gone.started_ns = ret->runs->items[i].started_ns;
		observation_to_run(&gone, &ret->runs->items[i]);
	}
	gone.started_ns = 0;
	*ret = gone;
}

/* By the label, in an object: of Jobs the Job, of pods an array of them. */
static void add_by_uid(json_t *index, json_t *item, bool has_many)
{
	const json_t *labels = json_object_get(json_object_get(item, "metadata"), "labels");
	const char *uid = kube_text(labels, KUBE_LABEL_UID);

	if (uid[0] == '\0')
		return;
	if (has_many)
		json_array_append(kube_array_at(index, uid), item);
	else
		json_object_set(index, uid, item);
}

static char *jobs_path(const struct kube *kube)
{
	return kube_path(kube, "/apis/batch/v1", "jobs", NULL);
}

static char *pods_path(const struct kube *kube)
{
	return kube_path(kube, "/api/v1", "pods", NULL);
}

/* ret: to be released. */
static int list(struct kube *kube, const char *path, bool has_many, json_t **ret, struct err *err)
{
	cleanup(json_release) json_t *items = NULL;
	json_t *item;
	size_t i;

	if (kube_list(kube, path, KUBE_LABEL_UID, &items, err) < 0)
		return -1;
	*ret = json_object();
	json_array_foreach(items, i, item)
		add_by_uid(*ret, item, has_many);
	return 0;
}

struct kube_job_watch {
	struct kube_watch *jobs, *pods;
	time_t events_at_s; /* when events were asked for last */
};

struct kube_job_watch *kube_job_watch_new(struct kube *kube)
{
	struct kube_job_watch *watch = new_zero(struct kube_job_watch);
	cleanup_free char *jobs = jobs_path(kube), *pods = pods_path(kube);

	watch->jobs = kube_watch_new(kube, jobs, KUBE_LABEL_UID);
	watch->pods = kube_watch_new(kube, pods, KUBE_LABEL_UID);
	return watch;
}

struct kube_job_watch *kube_job_watch_free(struct kube_job_watch *watch)
{
	if (watch) {
		kube_watch_free(watch->jobs);
		kube_watch_free(watch->pods);
		free(watch);
	}
	return NULL;
}

int kube_job_watch_wait(struct kube_job_watch *watch, unsigned int timeout_ms, struct err *err)
{
	unsigned int waited = 0;
	int pods, jobs;

	/* What happens to a Job mostly happens to its pods first: those are waited for. */
	do {
		unsigned int slice = MIN(timeout_ms - waited, (unsigned int)SLICE_MS);

		pods = kube_watch_update(watch->pods, slice, err);
		jobs = pods < 0 ? -1 : kube_watch_update(watch->jobs, 0, err);
		if (jobs < 0)
			return -1;
		waited += slice;
	} while (pods == 0 && jobs == 0 && waited < timeout_ms);
	return 0;
}

/* ret: to be released. */
static int take_watched(struct kube_watch *watch, bool has_many, json_t **ret, struct err *err)
{
	const char *key;
	json_t *item;
	int more;

	do {
		more = kube_watch_update(watch, 0, err);
		if (more < 0)
			return -1;
	} while (more > 0);
	*ret = json_object();
	json_object_foreach(kube_watch_items(watch), key, item)
		add_by_uid(*ret, item, has_many);
	return 0;
}

int kube_list_pods(struct kube *kube, const struct job *job, json_t **ret, struct err *err)
{
	cleanup_free char *path = pods_path(kube);
	cleanup_free char *label = str_printf(KUBE_LABEL_UID "=%s", job->uid);

	return kube_list(kube, path, label, ret, err);
}

static int find_all(struct kube *kube, struct kube_job_watch *watch, json_t **ret_jobs,
		    json_t **ret_pods, struct err *err)
{
	cleanup_free char *jobs = jobs_path(kube), *pods = pods_path(kube);

	if (!watch)
		return list(kube, jobs, false, ret_jobs, err) < 0 ||
				       list(kube, pods, true, ret_pods, err) < 0
			       ? -1
			       : 0;
	return take_watched(watch->jobs, false, ret_jobs, err) < 0 ||
			       take_watched(watch->pods, true, ret_pods, err) < 0
		       ? -1
		       : 0;
}

static bool has_ended(const json_t *job)
{
	return kube_condition(job, "Complete", "True") || kube_condition(job, "Failed", "True");
}

/*
 * What is heard of Jobs and of pods comes in two streams: the last words of the pods of one that
 * has ended may still be on their way, and are asked for.
 */
static int complete_pods(struct kube *kube, const struct job *record, const json_t *job,
			 json_t *pods, struct err *err)
{
	json_t *list = NULL;

	if (!has_ended(job))
		return 0;
	if (kube_list_pods(kube, record, &list, err) < 0)
		return -1;
	json_object_set_new(pods, record->uid, list);
	return 0;
}

/* Who watches looks often: what waits is not asked about each time. */
static bool wants_events(struct kube_job_watch *watch)
{
	struct timespec now;

	if (!watch)
		return true;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (watch->events_at_s && now.tv_sec - watch->events_at_s < EVENTS_S)
		return false;
	watch->events_at_s = now.tv_sec;
	return true;
}

/* What events said of one that waits stays until they are asked for again. */
static void keep_reasons(const struct job *const *jobs, size_t len, struct observation *ret)
{
	for (size_t i = 0; i < len; i++) {
		if (!ret[i].runs && ret[i].reason[0] == '\0' && ret[i].state == jobs[i]->state &&
		    ret[i].state != JOB_RUNNING)
			jobdir_copy_text(ret[i].reason, sizeof(ret[i].reason), jobs[i]->reason);
	}
}

static bool has_ours(const struct job *const *jobs, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!job_is_adopted(jobs[i]))
			return true;
	}
	return false;
}

int kube_observe_jobs(struct kube *kube, struct kube_job_watch *watch,
		      const struct job *const *jobs, size_t len, struct observation *ret,
		      struct err *err)
{
	cleanup(json_release) json_t *made = NULL;
	cleanup(json_release) json_t *pods = NULL;

	if (has_ours(jobs, len) && find_all(kube, watch, &made, &pods, err) < 0)
		return -1;
	for (size_t i = 0; i < len; i++) {
		const json_t *job = json_object_get(made, jobs[i]->uid);

		if (job_is_adopted(jobs[i])) {
			kube_observe_adopted(kube, jobs[i], &ret[i]);
			continue;
		}
		if (job && watch && complete_pods(kube, jobs[i], job, pods, err) < 0)
			return -1;
		if (job)
			kube_read_job(jobs[i], job, json_object_get(pods, jobs[i]->uid), &ret[i]);
		else
			read_missing(jobs[i], &ret[i]);
	}
	if (wants_events(watch))
		kube_explain_by_events(kube, jobs, len, ret);
	else
		keep_reasons(jobs, len, ret);
	return 0;
}
