/* SPDX-License-Identifier: MIT */
/* How jobs are; see observe.h. */
#include "observe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/backends/jobdir.h"
#include "controller/backends/kube/events.h"
#include "controller/backends/kube/indexed.h"
#include "controller/backends/kube/job.h"
#include "controller/backends/kube/manifest.h"
#include "controller/backends/kube/pod_state.h"
#include "controller/model/hostlist.h"
#include "controller/model/indices.h"
#include "init/base/alloc.h"

#define GONE "there is no such Job: was it removed, or has the cluster's namespace changed?"

static const json_t *status_of(const json_t *object)
{
	return json_object_get(object, "status");
}

static const char *made_at(const json_t *object)
{
	return kube_text(json_object_get(object, "metadata"), "creationTimestamp");
}

/* The last pod for each number, and how many there were. */
struct pods {
	const json_t **last;
	uint64_t *tries;
	size_t len;
};

static void pods_finish(struct pods *pods)
{
	free(pods->last);
	free(pods->tries);
}
DEFINE_CLEANUP_VALUE(struct pods, pods_finish)

static void pods_init(struct pods *pods, const json_t *list, size_t len)
{
	const json_t *pod;
	size_t i;

	*pods = (struct pods){ .last = new_array(const json_t *, len),
			       .tries = new_array(uint64_t, len),
			       .len = len };
	json_array_foreach(list, i, pod) {
		uint64_t index = kube_pod_index(pod);

		if (index >= len)
			continue;
		pods->tries[index]++;
		if (!pods->last[index] || strcmp(made_at(pod), made_at(pods->last[index])) >= 0)
			pods->last[index] = pod;
	}
}

static int compare_pods(const void *a, const void *b)
{
	return strcmp(made_at(*(json_t *const *)a), made_at(*(json_t *const *)b));
}

void kube_sort_pods(json_t *pods)
{
	size_t len = json_array_size(pods);
	cleanup_free json_t **items = new_array(json_t *, len);

	for (size_t i = 0; i < len; i++)
		items[i] = json_incref(json_array_get(pods, i));
	qsort(items, len, sizeof(json_t *), compare_pods);
	json_array_clear(pods);
	for (size_t i = 0; i < len; i++)
		json_array_append_new(pods, items[i]);
}

const json_t *kube_last_pod(const json_t *pods, uint64_t index)
{
	const json_t *pod, *last = NULL;
	size_t i;

	json_array_foreach(pods, i, pod) {
		if (kube_pod_index(pod) == index &&
		    (!last || strcmp(made_at(pod), made_at(last)) >= 0))
			last = pod;
	}
	return last;
}

static bool is_in_phase(const json_t *pod, const char *phase)
{
	return strcmp(kube_text(status_of(pod), "phase"), phase) == 0;
}

static bool has_failed(const json_t *pod)
{
	return is_in_phase(pod, "Failed");
}

/* Ranks that wait hold up those that run; what for is said of the first. */
static void add_rank(struct observation *all, const struct observation *one, bool is_first)
{
	char nodes[sizeof(all->node_list)];

	if (is_first) {
		*all = *one;
		return;
	}
	if (one->state == JOB_RUNNING || (one->state == JOB_STARTING && all->state == JOB_QUEUED)) {
		all->state = one->state;
		memcpy(all->native_state, one->native_state, sizeof(all->native_state));
	}
	if (all->reason[0] == '\0')
		memcpy(all->reason, one->reason, sizeof(all->reason));
	if (one->started_ns && (!all->started_ns || one->started_ns < all->started_ns))
		all->started_ns = one->started_ns;
	if (one->node_list[0] && !hostlist_has(all->node_list, one->node_list)) {
		memcpy(nodes, all->node_list, sizeof(nodes));
		/* Cut at a comma when it is longer. */
		if (snprintf(all->node_list, sizeof(all->node_list), "%s%s%s", nodes,
			     nodes[0] ? "," : "", one->node_list) >= (int)sizeof(all->node_list))
			memcpy(all->node_list, nodes, sizeof(nodes));
	}
}

static void read_pods(const struct pods *pods, struct observation *ret)
{
	struct observation all = *ret;
	size_t seen = 0;

	for (size_t i = 0; i < pods->len; i++) {
		struct observation one = { .exit_code = JOB_NO_EXIT_CODE };

		if (!pods->last[i])
			continue;
		kube_read_pod(pods->last[i], &one);
		add_rank(&all, &one, seen++ == 0);
	}
	all.runs = ret->runs;
	*ret = all;
}

/* That which failed first: the others were ended because of it. */
static const json_t *first_failure(const struct pods *pods)
{
	const json_t *first = NULL;
	uint64_t first_ns = 0;

	for (size_t i = 0; i < pods->len; i++) {
		struct observation one = { 0 };

		if (!pods->last[i] || (!has_failed(pods->last[i]) && pods->len > 1))
			continue;
		kube_read_pod_end(pods->last[i], &one);
		if (!first || (one.ended_ns && (!first_ns || one.ended_ns < first_ns))) {
			first = pods->last[i];
			first_ns = one.ended_ns;
		}
	}
	return first;
}

static void read_failure(const json_t *failed, const json_t *pod, struct observation *ret)
{
	ret->state = JOB_FAILED;
	jobdir_copy_text(ret->native_state, sizeof(ret->native_state), "Failed");
	ret->ended_ns = kube_time(kube_text(failed, "lastTransitionTime"));
	kube_explain_by(failed, ret);
	if (strcmp(kube_text(failed, "reason"), "DeadlineExceeded") == 0) {
		ret->state = JOB_TIMEOUT;
		jobdir_copy_text(ret->reason, sizeof(ret->reason), KUBE_LIMIT);
	} else if (pod) {
		kube_read_pod_end(pod, ret);
	}
}

static void read_success(const json_t *job, struct observation *ret)
{
	ret->state = JOB_SUCCEEDED;
	ret->exit_code = 0;
	jobdir_copy_text(ret->native_state, sizeof(ret->native_state), "Complete");
	ret->ended_ns = kube_time(kube_text(status_of(job), "completionTime"));
	ret->reason[0] = '\0';
}

static void read_whole(const json_t *job, const struct pods *pods, struct observation *ret)
{
	const json_t *failed = kube_condition(job, "Failed", "True");
	const json_t *suspended = kube_condition(job, "Suspended", "True");

	jobdir_copy_text(ret->native_state, sizeof(ret->native_state),
			 suspended ? "Suspended" : "Pending");
	if (suspended)
		kube_explain_by(suspended, ret);
	read_pods(pods, ret);
	if (kube_condition(job, "Complete", "True"))
		read_success(job, ret);
	else if (failed)
		read_failure(failed, first_failure(pods), ret);
	if (!ret->started_ns && job_state_is_ended(ret->state))
		ret->started_ns = kube_time(kube_text(status_of(job), "startTime"));
	for (size_t i = 0; i < pods->len; i++)
		ret->attempts = MAX(ret->attempts, ret->started_ns ? pods->tries[i] : 0);
	if (ret->started_ns && !ret->attempts)
		ret->attempts = 1;
}

static bool was_cancelled(const json_t *job, uint64_t index)
{
	const json_t *notes = json_object_get(json_object_get(job, "metadata"), "annotations");

	return indices_have(kube_text(notes, KUBE_NOTE_CANCELLED), index);
}

static void read_task_end(const json_t *job, const json_t *pod, uint64_t index,
			  struct observation *ret)
{
	const json_t *failed = kube_condition(job, "Failed", "True");

	ret->state = JOB_FAILED;
	if (failed)
		read_failure(failed, NULL, ret);
	if (pod)
		kube_read_pod_end(pod, ret);
	if (was_cancelled(job, index)) {
		ret->state = JOB_CANCELLED;
		ret->reason[0] = '\0';
	}
	jobdir_copy_text(ret->native_state, sizeof(ret->native_state), "Failed");
}

/* Whether it came to nothing, and the Job makes no other pod for this number. */
static bool is_lost(const json_t *job, const json_t *pod, uint64_t index)
{
	const json_t *tries = json_object_get(json_object_get(job, "spec"), "backoffLimitPerIndex");

	return kube_condition(job, "Failed", "True") ||
	       indices_have(kube_text(status_of(job), "failedIndexes"), index) ||
	       (pod && has_failed(pod) && json_is_integer(tries) && json_integer_value(tries) == 0);
}

/* One task: its pod tells, and for those whose pods are gone the Job's lists do. */
static void read_task(const json_t *job, const struct pods *pods, uint64_t index,
		      struct observation *ret)
{
	const json_t *pod = pods->last[index], *status = status_of(job);
	const json_t *suspended = kube_condition(job, "Suspended", "True");

	jobdir_copy_text(ret->native_state, sizeof(ret->native_state), "Pending");
	if (pod)
		kube_read_pod(pod, ret);
	else if (suspended)
		kube_explain_by(suspended, ret);
	if ((pod && is_in_phase(pod, "Succeeded")) ||
	    indices_have(kube_text(status, "completedIndexes"), index)) {
		read_success(job, ret);
		if (pod)
			kube_read_pod_end(pod, ret);
	} else if (is_lost(job, pod, index)) {
		read_task_end(job, pod, index, ret);
	} else if (pod && has_failed(pod)) {
		ret->state = JOB_QUEUED; /* until another one is made */
	}
	ret->attempts = ret->started_ns ? pods->tries[index] : 0;
}

static struct observation unknown(struct run_list *runs)
{
	return (struct observation){ .state = JOB_QUEUED,
				     .exit_code = JOB_NO_EXIT_CODE,
				     .runs = runs };
}

void kube_read_job(const struct job *record, const json_t *job, const json_t *list,
		   struct observation *ret)
{
	cleanup(pods_finish) struct pods pods = { 0 };
	struct run_list *runs = ret->runs;

	*ret = unknown(runs);
	pods_init(&pods, list, runs ? runs->len : MAX(record->tasks, UINT64_C(1)));
	if (!runs) {
		read_whole(job, &pods, ret);
		return;
	}
	/* The runs of an array are all of its tasks, in their order. */
	for (size_t i = 0; i < runs->len; i++) {
		struct observation one = unknown(NULL);

		read_task(job, &pods, i, &one);
		observation_to_run(&one, &runs->items[i]);
	}
}

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
static json_t *index_by_uid(const json_t *items, bool has_many)
{
	json_t *index = json_object(), *item;
	size_t i;

	json_array_foreach(items, i, item) {
		const json_t *labels = json_object_get(json_object_get(item, "metadata"), "labels");
		const char *uid = kube_text(labels, KUBE_LABEL_UID);

		if (uid[0] == '\0')
			continue;
		if (!has_many)
			json_object_set(index, uid, item);
		else
			json_array_append(kube_array_at(index, uid), item);
	}
	return index;
}

static int list(struct kube *kube, const char *api, const char *kind, bool has_many, json_t **ret,
		struct err *err)
{
	cleanup_free char *path = kube_path(kube, api, kind, NULL);
	cleanup(json_release) json_t *items = NULL;

	if (kube_list(kube, path, KUBE_LABEL_UID, &items, err) < 0)
		return -1;
	*ret = index_by_uid(items, has_many);
	return 0;
}

int kube_list_pods(struct kube *kube, const struct job *job, json_t **ret, struct err *err)
{
	cleanup_free char *path = kube_path(kube, "/api/v1", "pods", NULL);
	cleanup_free char *label = str_printf(KUBE_LABEL_UID "=%s", job->uid);

	return kube_list(kube, path, label, ret, err);
}

int kube_observe_jobs(struct kube *kube, const struct job *const *jobs, size_t len,
		      struct observation *ret, struct err *err)
{
	cleanup(json_release) json_t *made = NULL;
	cleanup(json_release) json_t *pods = NULL;

	if (list(kube, "/apis/batch/v1", "jobs", false, &made, err) < 0 ||
	    list(kube, "/api/v1", "pods", true, &pods, err) < 0)
		return -1;
	for (size_t i = 0; i < len; i++) {
		const json_t *job = json_object_get(made, jobs[i]->uid);

		if (job)
			kube_read_job(jobs[i], job, json_object_get(pods, jobs[i]->uid), &ret[i]);
		else
			read_missing(jobs[i], &ret[i]);
	}
	kube_explain_by_events(kube, jobs, len, ret);
	return 0;
}
