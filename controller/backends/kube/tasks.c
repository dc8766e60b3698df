/* SPDX-License-Identifier: MIT */
/* Single pods of a job; see tasks.h. */
#include "tasks.h"

#include <inttypes.h>
#include <string.h>

#include "controller/backends/kube/indexed.h"
#include "controller/backends/kube/job.h"
#include "controller/backends/kube/job_state.h"
#include "controller/backends/kube/observe.h"
#include "controller/backends/kube/pod_state.h"
#include "init/base/indices.h"

#define TRIES 8

/* The numbers of the tasks, and their pods. */
struct chosen {
	json_t *all;	    /* pods of the job */
	json_t *pods;	    /* those of the tasks */
	struct buf numbers; /* "3,5" */
};

static void chosen_finish(struct chosen *chosen)
{
	json_decref(chosen->all);
	json_decref(chosen->pods);
	buf_finish(&chosen->numbers);
}
DEFINE_CLEANUP_VALUE(struct chosen, chosen_finish)

static bool has_ended(const json_t *pod)
{
	const char *phase = kube_text(json_object_get(pod, "status"), "phase");

	return strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0;
}

static int choose_pod(const struct job *job, uint64_t rank, struct chosen *chosen, struct err *err)
{
	json_t *pod;
	uint64_t index;

	if (!kube_index_of_rank(job, rank, &index))
		return 0;
	pod = (json_t *)(uintptr_t)kube_last_pod(chosen->all, index);
	if (!pod)
		return err_set(err, ERR_UNSUPPORTED,
			       "task %" PRIu64 " has not started, and a Job cannot leave it out: "
			       "'berth cancel job-%" PRIu64 "' ends all of it",
			       job_task_of_rank(job, rank), job->id);
	if (has_ended(pod))
		return 0;
	json_array_append(chosen->pods, pod);
	if (!buf_printf(&chosen->numbers, "%s%" PRIu64, buf_len(&chosen->numbers) ? "," : "",
			index))
		return err_set(err, ERR_LIMIT, "too many tasks at once");
	return 0;
}

static int choose(const struct job *job, struct chosen *chosen, struct err *err)
{
	for (uint64_t task = 0; indices_next(job->only, task, &task); task++) {
		uint64_t first = job_first_rank(job, task);

		for (uint64_t i = 0; i < MAX(job->tasks, UINT64_C(1)); i++) {
			if (choose_pod(job, first + i, chosen, err) < 0)
				return -1;
		}
	}
	return 0;
}

/* Adds the numbers to those that the Job has; ERR_EXISTS: it was changed meanwhile. */
static int note_once(struct kube *kube, const char *path, const char *numbers, struct err *err)
{
	cleanup(json_release) json_t *job = NULL;
	cleanup(json_release) json_t *change = NULL;
	cleanup_free char *all = NULL;
	struct kube_call call = { .path = path };
	const json_t *metadata;
	const char *before;

	if (kube_call(kube, &call, &job, err) < 0)
		return -1;
	metadata = json_object_get(job, "metadata");
	before = kube_text(json_object_get(metadata, "annotations"), KUBE_NOTE_CANCELLED);
	all = str_printf("%s%s%s", before, before[0] ? "," : "", numbers);
	change = json_pack("{s:{s:s, s:{s:s}}}", "metadata", "resourceVersion",
			   kube_text(metadata, "resourceVersion"), "annotations",
			   KUBE_NOTE_CANCELLED, all);
	call.method = "PATCH";
	call.content_type = "application/merge-patch+json";
	call.body = change;
	return kube_call(kube, &call, NULL, err);
}

static int note(struct kube *kube, const struct job *job, const char *numbers, struct err *err)
{
	cleanup_free char *name = kube_job_name(job);
	cleanup_free char *path = kube_path(kube, "/apis/batch/v1", "jobs", name);
	struct err own = { 0 };

	/* The controller writes into it, too, whenever a pod begins or ends. */
	for (int i = 0; i < TRIES; i++) {
		if (note_once(kube, path, numbers, &own) == 0)
			return 0;
		if (own.kind != ERR_EXISTS)
			break;
	}
	return err_set(err, own.kind, "%s", own.text);
}

static int delete_pod(struct kube *kube, const json_t *pod, bool at_once, struct err *err)
{
	const char *name = kube_text(json_object_get(pod, "metadata"), "name");
	cleanup_free char *base = kube_path(kube, "/api/v1", "pods", name);
	cleanup_free char *path = str_printf("%s%s", base, at_once ? "?gracePeriodSeconds=0" : "");
	const struct kube_call call = { .method = "DELETE", .path = path };
	struct err own;

	if (kube_call(kube, &call, NULL, &own) == 0 || own.kind == ERR_NOT_FOUND)
		return 0;
	return err_set(err, own.kind, "%s", own.text);
}

int kube_cancel_tasks(struct kube *kube, const struct job *job, bool at_once, struct err *err)
{
	cleanup(chosen_finish) struct chosen chosen = { .pods = json_array(),
							.numbers = BUF_INIT(INDICES_TEXT_MAX) };
	int result = 0;
	json_t *pod;
	size_t i;

	if (kube_list_pods(kube, job, &chosen.all, err) < 0 || choose(job, &chosen, err) < 0)
		return -1;
	if (json_array_size(chosen.pods) == 0)
		return 0;
	if (note(kube, job, buf_str(&chosen.numbers), err) < 0)
		return -1;
	json_array_foreach(chosen.pods, i, pod) {
		if (delete_pod(kube, pod, at_once, result == 0 ? err : NULL) < 0)
			result = -1;
	}
	return result;
}

int kube_kill_pods(struct kube *kube, const struct job *job, struct err *err)
{
	cleanup_free char *base = kube_path(kube, "/api/v1", "pods", NULL);
	cleanup_free char *path = str_printf(
		"%s?gracePeriodSeconds=0&labelSelector=" KUBE_LABEL_UID "%%3D%s", base, job->uid);
	const struct kube_call call = { .method = "DELETE", .path = path };
	cleanup(json_release) json_t *pods = NULL;
	int result = 0;
	struct err own;
	json_t *pod;
	size_t i;

	if (kube_call(kube, &call, NULL, &own) == 0)
		return 0;
	/* "deletecollection" is a right of its own, and not everybody's. */
	if (own.kind != ERR_DENIED)
		return err_set(err, own.kind, "%s", own.text);
	if (kube_list_pods(kube, job, &pods, err) < 0)
		return -1;
	json_array_foreach(pods, i, pod) {
		if (delete_pod(kube, pod, true, result == 0 ? err : NULL) < 0)
			result = -1;
	}
	return result;
}

static void add_run(const json_t *pod, uint64_t task, uint64_t attempt, struct run_list *ret)
{
	struct observation seen = { .exit_code = JOB_NO_EXIT_CODE, .attempts = attempt };
	const char *phase = kube_text(json_object_get(pod, "status"), "phase");
	struct run *run = run_list_add(ret, task);

	kube_read_pod(pod, &seen);
	if (has_ended(pod)) {
		seen.state = strcmp(phase, "Failed") == 0 ? JOB_FAILED : JOB_SUCCEEDED;
		kube_read_pod_end(pod, &seen);
	}
	observation_to_run(&seen, run);
}

int kube_list_runs(struct kube *kube, const struct job *job, struct run_list *ret, struct err *err)
{
	cleanup(json_release) json_t *pods = NULL;
	cleanup_free uint64_t *tries = NULL;
	uint64_t len = job_is_array(job) ? indices_count(job->array) : MAX(job->tasks, UINT64_C(1));
	uint64_t task;
	json_t *pod;
	size_t i;

	/* What was tried again is a rank then, and no task. */
	if (job_is_array(job) && job->tasks > 1)
		return 0;
	if (kube_list_pods(kube, job, &pods, err) < 0)
		return -1;
	tries = new_array(uint64_t, len);
	kube_sort_pods(pods);
	json_array_foreach(pods, i, pod) {
		uint64_t index = kube_pod_index(pod);

		if (index < len && kube_rank_of_index(job, index, &task))
			add_run(pod, task, ++tries[index], ret);
	}
	return 0;
}
