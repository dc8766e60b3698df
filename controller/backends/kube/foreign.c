/* SPDX-License-Identifier: MIT */
/* Pods that berth did not start; see foreign.h. */
#include "foreign.h"

#include <string.h>

#include "controller/backends/jobdir.h"
#include "controller/backends/kube/adopted.h"
#include "controller/backends/kube/manifest.h"
#include "controller/backends/kube/pod_state.h"

#define DEFAULT_CONTAINER "kubectl.kubernetes.io/default-container"
#define REMOVED "the pod was removed"
#define REPLACED "the pod was removed: another one is called so now"
#define PARTS 3

int kube_parse_foreign(const char *name, struct kube_target *ret, struct err *err)
{
	struct {
		const char *at;
		size_t len;
	} parts[PARTS] = { 0 };
	size_t len = 0;

	for (const char *p = name;; p++) {
		size_t part = strcspn(p, "/");

		if (part == 0 || len == PARTS)
			return err_set(err, ERR_INVALID,
				       "'%.80s' is not [NAMESPACE/]POD, or NAMESPACE/POD/CONTAINER",
				       name);
		parts[len].at = p;
		parts[len++].len = part;
		p += part;
		if (*p == '\0')
			break;
	}
	*ret = (struct kube_target){ 0 };
	if (len > 1)
		ret->namespace = str_dup_len(parts[0].at, parts[0].len);
	ret->pod = str_dup_len(parts[len > 1].at, parts[len > 1].len);
	if (len == PARTS)
		ret->container = str_dup_len(parts[2].at, parts[2].len);
	return 0;
}

int kube_adopted_target(const struct job *job, struct kube_target *ret, struct err *err)
{
	if (kube_parse_foreign(job->native_id, ret, err) < 0)
		return -1;
	if (ret->container)
		return 0;
	kube_target_finish(ret);
	return err_set(err, ERR_INTERNAL, "'%.80s' names no container", job->native_id);
}

int kube_get_pod(struct kube *kube, const struct kube_target *target, json_t **ret, struct err *err)
{
	cleanup_free char *path = kube_target_path(target, NULL);

	return kube_call(kube, &(struct kube_call){ .path = path }, ret, err);
}

const json_t *kube_container_of(const json_t *pod, const char *name)
{
	json_t *all = json_object_get(json_object_get(pod, "spec"), "containers");
	const json_t *notes = json_object_get(json_object_get(pod, "metadata"), "annotations");
	const json_t *chosen;

	if (name)
		return kube_item_with(all, "name", name);
	chosen = kube_item_with(all, "name", kube_text(notes, DEFAULT_CONTAINER));
	return chosen ? chosen : json_array_get(all, 0);
}

const json_t *kube_container_state(const json_t *pod, const char *name)
{
	json_t *all = json_object_get(json_object_get(pod, "status"), "containerStatuses");

	return json_object_get(kube_item_with(all, "name", name), "state");
}

/* It was let go by its pod: no exit status is ours to tell. */
static void read_gone(const char *why, struct observation *ret)
{
	ret->state = JOB_CANCELLED;
	jobdir_copy_text(ret->reason, sizeof(ret->reason), why);
}

void kube_read_adopted(const json_t *pod, const char *container, const char *uid,
		       struct observation *ret)
{
	const json_t *state = kube_container_state(pod, container);
	const json_t *running = json_object_get(state, "running");
	const json_t *ended = json_object_get(state, "terminated");
	const char *phase = kube_text(json_object_get(pod, "status"), "phase");
	bool is_over = strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0;

	ret->exit_code = JOB_NO_EXIT_CODE;
	if (uid[0] && strcmp(kube_text(json_object_get(pod, "metadata"), "uid"), uid) != 0) {
		read_gone(REPLACED, ret);
		return;
	}
	jobdir_copy_text(ret->native_state, sizeof(ret->native_state), phase);
	jobdir_copy_text(ret->node_list, sizeof(ret->node_list),
			 kube_text(json_object_get(pod, "spec"), "nodeName"));
	ret->started_ns = kube_time(kube_text(running ? running : ended, "startedAt"));
	ret->attempts = ret->started_ns ? 1 : 0;
	if (running) {
		ret->state = JOB_RUNNING;
	} else if (is_over && ended) {
		ret->state = JOB_FAILED;
		kube_read_terminated(ended, ret);
		if (ret->exit_code == 0)
			ret->state = JOB_SUCCEEDED;
	} else if (is_over) {
		read_gone(phase, ret);
	} else {
		/* It is started again, or waits for that. */
		ret->state = JOB_STARTING;
		kube_explain_by(ended ? ended : json_object_get(state, "waiting"), ret);
	}
}

void kube_observe_adopted(struct kube *kube, const struct job *job, struct observation *ret)
{
	cleanup(kube_target_finish) struct kube_target target = { 0 };
	cleanup(adopted_finish) struct adopted adopted = { 0 };
	cleanup(json_release) json_t *pod = NULL;
	struct err err;

	ret->exit_code = JOB_NO_EXIT_CODE;
	ret->state = job->state;
	if (kube_adopted_target(job, &target, &err) == 0 &&
	    kube_get_pod(kube, &target, &pod, &err) == 0) {
		/* Without its note it is the pod of that name. */
		const char *uid = adopted_read(job, &adopted, NULL) == 0 ? adopted.pod_uid : "";

		kube_read_adopted(pod, target.container, uid, ret);
		return;
	}
	if (err.kind == ERR_NOT_FOUND)
		read_gone(REMOVED, ret);
	else
		jobdir_copy_text(ret->reason, sizeof(ret->reason), err.text);
}
