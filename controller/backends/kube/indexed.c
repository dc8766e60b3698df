/* SPDX-License-Identifier: MIT */
/* Jobs with several pods; see indexed.h. */
#include "indexed.h"

#include <inttypes.h>
#include <string.h>

#include "controller/backends/kube/job.h"
#include "controller/backends/kube/manifest.h"
#include "init/base/indices.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

static void add_number(json_t *env, const char *name, uint64_t value)
{
	cleanup_free char *text = str_printf("%" PRIu64, value);

	if (!kube_item_with(env, "name", name))
		kube_put_item(env, "name", json_pack("{s:s, s:s}", "name", name, "value", text));
}

/* The pod's own number, which only the server knows. */
static void add_index(json_t *env, const char *name)
{
	json_t *item = json_pack("{s:s, s:{s:{s:s}}}", "name", name, "valueFrom", "fieldRef",
				 "fieldPath", "metadata.annotations['" KUBE_INDEX "']");

	if (!kube_item_with(env, "name", name))
		kube_put_item(env, "name", item);
	else
		json_decref(item);
}

/* "%4" of "0-9%4"; 0: as many as there are. */
static uint64_t limit_of(const char *indices)
{
	const char *percent = strchr(indices, '%');
	uint64_t limit = 0;

	if (percent && !text_parse_uint(percent + 1, INDICES_MAX, &limit))
		limit = 0;
	return limit;
}

/* Whether they are 0, 1, 2, ...: then the pod's number is the index. */
bool kube_is_plain_array(const char *indices)
{
	uint64_t count = indices_count(indices), first = 1;

	return indices_next(indices, 0, &first) && first == 0 && indices_have(indices, count - 1) &&
	       !indices_next(indices, count, &first);
}

static void fill_array(json_t *job_spec, json_t *env, const struct spec *spec)
{
	uint64_t limit = limit_of(spec->array), ranks = spec_ranks(spec), last = 0, first = 0;

	/* Of others berth-init knows which one the pod's number stands for. */
	if (kube_is_plain_array(spec->array) && ranks <= 1)
		add_index(env, "SLURM_ARRAY_TASK_ID");
	add_number(env, "SLURM_ARRAY_TASK_COUNT", indices_count(spec->array));
	for (uint64_t at = 0; indices_next(spec->array, at, &at); at++)
		last = at;
	indices_next(spec->array, 0, &first);
	add_number(env, "SLURM_ARRAY_TASK_MIN", first);
	add_number(env, "SLURM_ARRAY_TASK_MAX", last);
	/* Of more than there are a Job would say that it has so many. */
	if (limit && limit < indices_count(spec->array))
		json_object_set_new(job_spec, "parallelism",
				    json_integer((json_int_t)(limit * ranks)));
}

/* Each rank on a node of its own. */
static void spread(json_t *pod, const char *uid)
{
	json_t *affinity = kube_object_at(pod, "affinity");
	json_t *anti = kube_object_at(affinity, "podAntiAffinity");

	json_array_append_new(kube_array_at(anti, "requiredDuringSchedulingIgnoredDuringExecution"),
			      json_pack("{s:{s:{s:s}}, s:s}", "labelSelector", "matchLabels",
					KUBE_LABEL_UID, uid, "topologyKey",
					"kubernetes.io/hostname"));
}

/* One that is only shown has no uid yet, and a name does not end with a dash. */
static char *domain_of(const struct job *job)
{
	return job->uid[0] ? kube_job_name(job) : str_dup("berth-uid");
}

char *kube_host_pattern(const struct job *job)
{
	cleanup_free char *name = domain_of(job);

	return str_printf("%s-#.%s", name, name);
}

static void fill_ranks(json_t *pod, json_t *env, const struct submission *submission)
{
	cleanup_free char *name = domain_of(submission->job);
	cleanup_free char *first = str_printf("%s-0.%s", name, name);

	add_number(env, "SLURM_NTASKS", spec_ranks(submission->spec));
	kube_set_text(pod, "subdomain", name);
	/* Which pod is the first of a task, berth-init works out as well. */
	if (submission->spec->array)
		return;
	add_index(env, "SLURM_PROCID");
	kube_put_item(env, "name",
		      json_pack("{s:s, s:s}", "name", "BERTH_FIRST_HOST", "value", first));
	if (submission->spec->nodes > 1)
		spread(pod, submission->job->uid);
}

int kube_fill_indexed(json_t *job_spec, const struct submission *submission, struct err *err)
{
	const struct spec *spec = submission->spec;
	json_t *pod = kube_object_at(json_object_get(job_spec, "template"), "spec");
	uint64_t tasks = spec->array ? indices_count(spec->array) : 1, ranks = spec_ranks(spec);
	json_int_t pods;
	json_t *env;

	if (ranks <= 1 && !spec->array)
		return 0;
	if (tasks > KUBE_COMPLETIONS_MAX || ranks > KUBE_COMPLETIONS_MAX / tasks)
		return err_set(err, ERR_LIMIT, "--%s: a Job has %d pods at most",
			       spec->array ? "array" : "tasks", KUBE_COMPLETIONS_MAX);
	pods = (json_int_t)(tasks * ranks);
	json_object_set_new(job_spec, "completionMode", json_string("Indexed"));
	json_object_set_new(job_spec, "completions", json_integer(pods));
	json_object_set_new(job_spec, "parallelism", json_integer(pods));
	env = kube_array_at(kube_find_container(pod), "env");
	add_index(env, "BERTH_RANK");
	if (spec->array)
		fill_array(job_spec, env, spec);
	if (ranks > 1)
		fill_ranks(pod, env, submission);
	return 0;
}

json_t *kube_make_service(const struct job *job, const json_t *owner)
{
	cleanup_free char *name = kube_job_name(job);
	const json_t *made = json_object_get(owner, "metadata");
	const char *uid = json_string_value(json_object_get(made, "uid"));
	json_t *service = json_pack(
		"{s:s, s:s, s:{s:s, s:{s:s, s:s}}, s:{s:s, s:b, s:{s:s}}}", "apiVersion", "v1",
		"kind", "Service", "metadata", "name", name, "labels", KUBE_LABEL_UID, job->uid,
		"app.kubernetes.io/managed-by", "berth", "spec", "clusterIP", "None",
		"publishNotReadyAddresses", 1, "selector", KUBE_LABEL_UID, job->uid);

	/* It goes with its Job, whoever removes that. */
	json_object_set_new(json_object_get(service, "metadata"), "ownerReferences",
			    json_pack("[{s:s, s:s, s:s, s:s}]", "apiVersion", "batch/v1", "kind",
				      "Job", "name", name, "uid", uid ? uid : ""));
	return service;
}

uint64_t kube_pod_index(const json_t *pod)
{
	const json_t *metadata = json_object_get(pod, "metadata");
	const char *text = json_string_value(
		json_object_get(json_object_get(metadata, "annotations"), KUBE_INDEX));
	uint64_t index = 0;

	if (!text)
		text = json_string_value(
			json_object_get(json_object_get(metadata, "labels"), KUBE_INDEX));
	return text && text_parse_uint(text, KUBE_COMPLETIONS_MAX, &index) ? index : 0;
}

bool kube_rank_of_index(const struct job *job, uint64_t index, uint64_t *ret)
{
	uint64_t ranks = MAX(job->tasks, UINT64_C(1)), task;

	if (job_is_array(job)) {
		if (!indices_nth(job->array, index / ranks, &task))
			return false;
		*ret = job_first_rank(job, task) + index % ranks;
		return true;
	}
	*ret = index;
	return index < MAX(job->tasks, UINT64_C(1));
}

bool kube_index_of_rank(const struct job *job, uint64_t rank, uint64_t *ret)
{
	uint64_t ranks = MAX(job->tasks, UINT64_C(1)), before;

	if (job_is_array(job)) {
		if (!indices_count_before(job->array, job_task_of_rank(job, rank), &before))
			return false;
		*ret = before * ranks + rank % ranks;
		return true;
	}
	*ret = rank;
	return rank < MAX(job->tasks, UINT64_C(1));
}
