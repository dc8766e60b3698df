/* SPDX-License-Identifier: MIT */
/* How jobs are; see observe.h. */
#include "observe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controller/backends/jobdir.h"
#include "controller/backends/kube/job.h"
#include "init/base/alloc.h"

#define STATUS_OF_SIGNAL 128
#define OOM "killed by the kernel: out of memory"
#define LIMIT "its time limit"
#define GONE "there is no such Job: was it removed, or has the cluster's namespace changed?"

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static const json_t *status_of(const json_t *object)
{
	return json_object_get(object, "status");
}

uint64_t kube_time(const char *text)
{
	struct tm tm = { 0 };
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	time_t seconds = rest && (*rest == 'Z' || *rest == '.') ? timegm(&tm) : 0;

	return seconds > 0 ? (uint64_t)seconds * NSEC_PER_SEC : 0;
}

/* The condition of this type, when it is true. */
static const json_t *condition(const json_t *object, const char *type, const char *value)
{
	const json_t *conditions = json_object_get(status_of(object), "conditions"), *item;
	size_t i;

	json_array_foreach(conditions, i, item) {
		if (strcmp(text_of(item, "type"), type) == 0 &&
		    strcmp(text_of(item, "status"), value) == 0)
			return item;
	}
	return NULL;
}

/* "REASON: message", or what there is of it. */
static void explain(const json_t *from, struct observation *ret)
{
	const char *reason = text_of(from, "reason"), *message = text_of(from, "message");
	cleanup_free char *text =
		str_printf("%s%s%s", reason, reason[0] && message[0] ? ": " : "", message);

	jobdir_copy_text(ret->reason, sizeof(ret->reason), text);
}

static const json_t *main_status(const json_t *pod)
{
	const json_t *all = json_object_get(status_of(pod), "containerStatuses"), *item;
	size_t i;

	json_array_foreach(all, i, item) {
		if (strcmp(text_of(item, "name"), KUBE_CONTAINER) == 0)
			return json_object_get(item, "state");
	}
	return NULL;
}

static void read_waiting(const json_t *pod, struct observation *ret)
{
	const json_t *unscheduled = condition(pod, "PodScheduled", "False");
	const json_t *waiting = json_object_get(main_status(pod), "waiting");

	if (text_of(json_object_get(pod, "spec"), "nodeName")[0] == '\0') {
		ret->state = JOB_QUEUED;
		if (unscheduled)
			explain(unscheduled, ret);
		return;
	}
	ret->state = JOB_STARTING;
	if (waiting)
		explain(waiting, ret);
}

static void read_pod(const json_t *pod, struct observation *ret)
{
	const char *phase = text_of(status_of(pod), "phase");
	const json_t *state = main_status(pod);
	const json_t *running = json_object_get(state, "running");
	const json_t *ended = json_object_get(state, "terminated");

	jobdir_copy_text(ret->native_state, sizeof(ret->native_state), phase);
	jobdir_copy_text(ret->node_list, sizeof(ret->node_list),
			 text_of(json_object_get(pod, "spec"), "nodeName"));
	ret->started_ns = kube_time(text_of(running ? running : ended, "startedAt"));
	if (phase[0] == '\0' || strcmp(phase, "Pending") == 0)
		read_waiting(pod, ret);
	else
		ret->state = JOB_RUNNING;
}

/* How the container ended, when it got so far. */
static void read_end(const json_t *pod, struct observation *ret)
{
	const json_t *ended = json_object_get(main_status(pod), "terminated");
	const json_t *exit_code = json_object_get(ended, "exitCode");
	const json_t *disrupted = condition(pod, "DisruptionTarget", "True");
	json_int_t code = json_integer_value(exit_code);

	if (ended)
		ret->ended_ns = kube_time(text_of(ended, "finishedAt"));
	if (json_is_integer(exit_code) && code > STATUS_OF_SIGNAL && code <= STATUS_OF_SIGNAL + 64)
		ret->signal = (int)code - STATUS_OF_SIGNAL;
	else if (json_is_integer(exit_code) && code >= 0 && code <= 255)
		ret->exit_code = (int)code;
	if (strcmp(text_of(ended, "reason"), "OOMKilled") == 0)
		jobdir_copy_text(ret->reason, sizeof(ret->reason), OOM);
	else if (exit_code && code != 0)
		ret->reason[0] = '\0'; /* the exit status says it */
	if (!disrupted)
		return;
	explain(disrupted, ret);
	if (strcmp(text_of(disrupted, "reason"), "PreemptionByScheduler") == 0)
		ret->state = JOB_PREEMPTED;
}

static void read_failure(const json_t *failed, const json_t *pod, struct observation *ret)
{
	ret->state = JOB_FAILED;
	jobdir_copy_text(ret->native_state, sizeof(ret->native_state), "Failed");
	ret->ended_ns = kube_time(text_of(failed, "lastTransitionTime"));
	explain(failed, ret);
	if (strcmp(text_of(failed, "reason"), "DeadlineExceeded") == 0) {
		ret->state = JOB_TIMEOUT;
		jobdir_copy_text(ret->reason, sizeof(ret->reason), LIMIT);
	} else if (pod) {
		read_end(pod, ret);
	}
}

void kube_read_job(const json_t *job, const json_t *pod, struct observation *ret)
{
	const json_t *failed = condition(job, "Failed", "True");
	const json_t *suspended = condition(job, "Suspended", "True");

	*ret = (struct observation){ .state = JOB_QUEUED,
				     .exit_code = JOB_NO_EXIT_CODE,
				     .runs = ret->runs };
	jobdir_copy_text(ret->native_state, sizeof(ret->native_state),
			 suspended ? "Suspended" : "Pending");
	if (pod)
		read_pod(pod, ret);
	else if (suspended)
		explain(suspended, ret);
	if (condition(job, "Complete", "True")) {
		ret->state = JOB_SUCCEEDED;
		ret->exit_code = 0;
		jobdir_copy_text(ret->native_state, sizeof(ret->native_state), "Complete");
		ret->ended_ns = kube_time(text_of(status_of(job), "completionTime"));
		ret->reason[0] = '\0';
	} else if (failed) {
		read_failure(failed, pod, ret);
	}
	if (!ret->started_ns && job_state_is_ended(ret->state))
		ret->started_ns = kube_time(text_of(status_of(job), "startTime"));
	ret->attempts = ret->started_ns ? 1 : 0;
}

static const char *uid_of(const json_t *object)
{
	const json_t *labels = json_object_get(json_object_get(object, "metadata"), "labels");

	return text_of(labels, KUBE_LABEL_UID);
}

/* By the label, in an object; of several pods of a job the last that was made. */
static json_t *index_by_uid(const json_t *items)
{
	json_t *index = json_object(), *item;
	size_t i;

	json_array_foreach(items, i, item) {
		const char *uid = uid_of(item);
		const json_t *before = json_object_get(index, uid);
		const char *made = text_of(json_object_get(item, "metadata"), "creationTimestamp");

		if (uid[0] == '\0' || (before && strcmp(text_of(json_object_get(before, "metadata"),
								"creationTimestamp"),
							made) > 0))
			continue;
		json_object_set(index, uid, item);
	}
	return index;
}

static int list(struct kube *kube, const char *api, const char *kind, json_t **ret, struct err *err)
{
	cleanup_free char *path = kube_path(kube, api, kind, NULL);
	cleanup(json_release) json_t *items = NULL;

	if (kube_list(kube, path, KUBE_LABEL_UID, &items, err) < 0)
		return -1;
	*ret = index_by_uid(items);
	return 0;
}

int kube_observe_jobs(struct kube *kube, const struct job *const *jobs, size_t len,
		      struct observation *ret, struct err *err)
{
	cleanup(json_release) json_t *made = NULL;
	cleanup(json_release) json_t *pods = NULL;

	if (list(kube, "/apis/batch/v1", "jobs", &made, err) < 0 ||
	    list(kube, "/api/v1", "pods", &pods, err) < 0)
		return -1;
	for (size_t i = 0; i < len; i++) {
		const json_t *job = json_object_get(made, jobs[i]->uid);

		if (job) {
			kube_read_job(job, json_object_get(pods, jobs[i]->uid), &ret[i]);
		} else {
			ret[i].state = jobs[i]->cancel_requested ? JOB_CANCELLED : JOB_UNKNOWN;
			jobdir_copy_text(ret[i].reason, sizeof(ret[i].reason),
					 jobs[i]->cancel_requested ? "" : GONE);
		}
	}
	return 0;
}
