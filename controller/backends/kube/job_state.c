/* SPDX-License-Identifier: MIT */
/* How a Job and its pods are; see job_state.h. */
#include "job_state.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/backends/jobdir.h"
#include "controller/backends/kube/indexed.h"
#include "controller/backends/kube/job.h"
#include "controller/backends/kube/pod_state.h"
#include "controller/model/hostlist.h"
#include "init/base/indices.h"
#include "init/base/alloc.h"

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

static void add_node(struct observation *all, const char *node)
{
	char nodes[sizeof(all->node_list)];

	if (node[0] == '\0' || hostlist_has(all->node_list, node))
		return;
	memcpy(nodes, all->node_list, sizeof(nodes));
	/* Cut at a comma when it is longer. */
	if (snprintf(all->node_list, sizeof(all->node_list), "%s%s%s", nodes, nodes[0] ? "," : "",
		     node) >= (int)sizeof(all->node_list))
		memcpy(all->node_list, nodes, sizeof(nodes));
}

/* Ranks that wait hold up those that run; what for is said of the first. */
static void add_rank(struct observation *all, const struct observation *one, bool is_first)
{
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
	add_node(all, one->node_list);
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

/* What the server does to the others when one has failed, is hardly how that one failed. */
static bool may_be_consequence(const struct observation *end)
{
	return end->signal == SIGTERM || (end->signal == SIGKILL && end->reason[0] == '\0');
}

/* That which failed first, by times that are whole seconds: the others were ended because of it. */
static const json_t *first_failure(const struct pods *pods)
{
	struct observation first = { 0 };
	const json_t *found = NULL;

	for (size_t i = 0; i < pods->len; i++) {
		struct observation one = { 0 };
		bool is_later;

		if (!pods->last[i] || (!has_failed(pods->last[i]) && pods->len > 1))
			continue;
		kube_read_pod_end(pods->last[i], &one);
		is_later = may_be_consequence(&one) == may_be_consequence(&first)
				   ? !one.ended_ns ||
					     (first.ended_ns && one.ended_ns >= first.ended_ns)
				   : may_be_consequence(&one);
		if (found && is_later)
			continue;
		found = pods->last[i];
		first = one;
	}
	return found;
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

/* Who deletes a Job ends its tasks; those that had ended before have ended as they did. */
static bool was_deleted(const json_t *job, uint64_t ended_ns)
{
	const char *at = kube_text(json_object_get(job, "metadata"), "deletionTimestamp");

	return at[0] && ended_ns >= kube_time(at);
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
	if (was_cancelled(job, index) || was_deleted(job, ret->ended_ns)) {
		ret->state = JOB_CANCELLED;
		ret->reason[0] = '\0';
	}
	jobdir_copy_text(ret->native_state, sizeof(ret->native_state), "Failed");
}

/* A pod that still runs, as far as is known, has not ended, whatever the Job says already. */
static bool is_alive(const json_t *pod)
{
	const char *deleted = kube_text(json_object_get(pod, "metadata"), "deletionTimestamp");

	return pod && deleted[0] == '\0' && !is_in_phase(pod, "Succeeded") && !has_failed(pod);
}

static bool is_done(const json_t *job, const json_t *pod, uint64_t index)
{
	return (pod && is_in_phase(pod, "Succeeded")) ||
	       (!is_alive(pod) &&
		indices_have(kube_text(status_of(job), "completedIndexes"), index));
}

/* Whether it came to nothing, and the Job makes no other pod for this number. */
static bool is_lost(const json_t *job, const json_t *pod, uint64_t index)
{
	const json_t *tries = json_object_get(json_object_get(job, "spec"), "backoffLimitPerIndex");

	if (pod && has_failed(pod) && json_is_integer(tries) && json_integer_value(tries) == 0)
		return true;
	return kube_condition(job, "Failed", "True") ||
	       (!is_alive(pod) && indices_have(kube_text(status_of(job), "failedIndexes"), index));
}

/* One of its pods: that tells, and for those that are gone the Job's lists do. */
static void read_index(const json_t *job, const struct pods *pods, uint64_t index,
		       struct observation *ret)
{
	const json_t *pod = pods->last[index];
	const json_t *suspended = kube_condition(job, "Suspended", "True");

	jobdir_copy_text(ret->native_state, sizeof(ret->native_state), "Pending");
	if (pod)
		kube_read_pod(pod, ret);
	else if (suspended)
		kube_explain_by(suspended, ret);
	if (is_done(job, pod, index)) {
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

/* A task is what its ranks are together. */
static void read_task(const json_t *job, const struct pods *pods, size_t task, size_t ranks,
		      struct observation *ret)
{
	cleanup(run_list_finish) struct run_list all = { 0 };

	for (size_t i = 0; i < ranks; i++) {
		*ret = unknown(NULL);
		read_index(job, pods, task * ranks + i, ret);
		if (ranks > 1)
			observation_to_run(ret, run_list_add(&all, i));
	}
	if (ranks <= 1)
		return;
	*ret = unknown(&all);
	observation_fold(ret);
	ret->runs = NULL;
	for (size_t i = 0; i < all.len; i++)
		add_node(ret, all.items[i].node_list);
}

void kube_read_job(const struct job *record, const json_t *job, const json_t *list,
		   struct observation *ret)
{
	cleanup(pods_finish) struct pods pods = { 0 };
	struct run_list *runs = ret->runs;
	uint64_t most = KUBE_COMPLETIONS_MAX / MAX(runs ? runs->len : 1, (size_t)1);
	size_t ranks = (size_t)MAX(MIN(record->tasks, most), UINT64_C(1));

	*ret = unknown(runs);
	pods_init(&pods, list, runs ? runs->len * ranks : ranks);
	if (!runs)
		read_whole(job, &pods, ret);
	/* The runs of an array are all of its tasks, in their order. */
	for (size_t i = 0; runs && i < runs->len; i++) {
		struct observation one;

		read_task(job, &pods, i, ranks, &one);
		observation_to_run(&one, &runs->items[i]);
	}
	jobdir_copy_text(ret->queue, sizeof(ret->queue),
			 kube_text(json_object_get(job, "metadata"), "namespace"));
}
