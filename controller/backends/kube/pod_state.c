/* SPDX-License-Identifier: MIT */
/* How a pod is; see pod_state.h. */
#include "pod_state.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controller/backends/jobdir.h"
#include "controller/backends/kube/manifest.h"
#include "controller/backends/kube/pod.h"
#include "init/base/alloc.h"

#define STATUS_OF_SIGNAL 128
#define PREEMPTED "PreemptionByScheduler"
#define OOM "killed by the kernel: out of memory"

const char *kube_text(const json_t *object, const char *key)
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
const json_t *kube_condition(const json_t *object, const char *type, const char *value)
{
	const json_t *conditions = json_object_get(status_of(object), "conditions"), *item;
	size_t i;

	json_array_foreach(conditions, i, item) {
		if (strcmp(kube_text(item, "type"), type) == 0 &&
		    strcmp(kube_text(item, "status"), value) == 0)
			return item;
	}
	return NULL;
}

/* "REASON: message", or what there is of it. */
void kube_explain_by(const json_t *from, struct observation *ret)
{
	const char *reason = kube_text(from, "reason"), *message = kube_text(from, "message");
	cleanup_free char *text =
		str_printf("%s%s%s", reason, reason[0] && message[0] ? ": " : "", message);

	jobdir_copy_text(ret->reason, sizeof(ret->reason), text);
}

/* The state of a container, from one of the two lists of them. */
static const json_t *container_state(const json_t *pod, const char *list, const char *name)
{
	const json_t *item = kube_item_with(json_object_get(status_of(pod), list), "name", name);

	return json_object_get(item, "state");
}

static const json_t *main_state(const json_t *pod)
{
	return container_state(pod, "containerStatuses", KUBE_CONTAINER);
}

/* What one of those that run before it waits for, or failed with. */
static const json_t *first_trouble(const json_t *pod)
{
	const json_t *all = json_object_get(status_of(pod), "initContainerStatuses"), *item;
	size_t i;

	json_array_foreach(all, i, item) {
		const json_t *state = json_object_get(item, "state");
		const json_t *waiting = json_object_get(state, "waiting");
		const json_t *ended = json_object_get(state, "terminated");

		if (waiting && strcmp(kube_text(waiting, "reason"), "PodInitializing") != 0)
			return waiting;
		if (json_integer_value(json_object_get(ended, "exitCode")) != 0)
			return ended;
	}
	return NULL;
}

static void read_waiting(const json_t *pod, struct observation *ret)
{
	const json_t *unscheduled = kube_condition(pod, "PodScheduled", "False");
	const json_t *trouble = first_trouble(pod);
	const json_t *waiting = json_object_get(main_state(pod), "waiting");

	if (kube_text(json_object_get(pod, "spec"), "nodeName")[0] == '\0') {
		ret->state = JOB_QUEUED;
		if (unscheduled)
			kube_explain_by(unscheduled, ret);
		return;
	}
	ret->state = JOB_STARTING;
	if (trouble || waiting)
		kube_explain_by(trouble ? trouble : waiting, ret);
}

void kube_read_pod(const json_t *pod, struct observation *ret)
{
	const char *phase = kube_text(status_of(pod), "phase");
	const json_t *state = main_state(pod);
	const json_t *running = json_object_get(state, "running");
	const json_t *ended = json_object_get(state, "terminated");

	jobdir_copy_text(ret->native_state, sizeof(ret->native_state), phase);
	jobdir_copy_text(ret->node_list, sizeof(ret->node_list),
			 kube_text(json_object_get(pod, "spec"), "nodeName"));
	ret->started_ns = kube_time(kube_text(running ? running : ended, "startedAt"));
	if (phase[0] == '\0' || strcmp(phase, "Pending") == 0)
		read_waiting(pod, ret);
	else
		ret->state = JOB_RUNNING;
}

bool kube_read_terminated(const json_t *ended, struct observation *ret)
{
	const json_t *exit_code = json_object_get(ended, "exitCode");
	json_int_t code = json_integer_value(exit_code);
	const char *reason = kube_text(ended, "reason");

	if (!json_is_integer(exit_code))
		return false;
	ret->ended_ns = kube_time(kube_text(ended, "finishedAt"));
	if (code > STATUS_OF_SIGNAL && code <= STATUS_OF_SIGNAL + 64)
		ret->signal = (int)code - STATUS_OF_SIGNAL;
	else if (code >= 0 && code <= 255)
		ret->exit_code = (int)code;
	if (strcmp(reason, "OOMKilled") == 0)
		jobdir_copy_text(ret->reason, sizeof(ret->reason), OOM);
	else if (strcmp(reason, "StartError") == 0 || strcmp(reason, "ContainerCannotRun") == 0)
		kube_explain_by(ended, ret);
	else if (code != 0)
		ret->reason[0] = '\0'; /* the exit status says it */
	return true;
}

void kube_read_pod_end(const json_t *pod, struct observation *ret)
{
	const json_t *disrupted = kube_condition(pod, "DisruptionTarget", "True");
	const char *reason = kube_text(status_of(pod), "reason");

	if (!kube_read_terminated(json_object_get(main_state(pod), "terminated"), ret) &&
	    first_trouble(pod))
		kube_explain_by(first_trouble(pod), ret);
	if (strcmp(reason, "DeadlineExceeded") == 0) {
		ret->state = JOB_TIMEOUT;
		jobdir_copy_text(ret->reason, sizeof(ret->reason), KUBE_LIMIT);
	} else if (disrupted && strcmp(kube_text(disrupted, "reason"), PREEMPTED) == 0) {
		ret->state = JOB_PREEMPTED;
		kube_explain_by(disrupted, ret);
	} else if (reason[0] != '\0') {
		kube_explain_by(status_of(pod), ret); /* such as Evicted */
	} else if (disrupted) {
		kube_explain_by(disrupted, ret);
	}
}
