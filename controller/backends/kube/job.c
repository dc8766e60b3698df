/* SPDX-License-Identifier: MIT */
/* Jobs to be; see job.h. */
#include "job.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controller/backends/kube/indexed.h"
#include "controller/backends/kube/manifest.h"
#include "controller/backends/kube/pod.h"
#include "controller/backends/kube/template.h"
#include "controller/model/container.h"
#include "init/base/alloc.h"

/* Of "on-failure" alone; what Kubernetes has without anything said. */
#define TRIES 6

char *kube_job_name(const struct job *job)
{
	return str_printf("berth-%s", job->uid);
}

/* Options of containers that a pod has no field for. */
static int refuse(const struct spec *spec, struct err *err)
{
	const struct {
		const char *option;
		bool is_asked;
		const char *instead;
	} cannot[] = {
		{ "network", spec->network && strcmp(spec->network, "host") != 0,
		  "a pod has the cluster's network, or that of its host" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cannot); i++) {
		if (cannot[i].is_asked)
			return err_set(err, ERR_UNSUPPORTED, "--%s: %s", cannot[i].option,
				       cannot[i].instead);
	}
	if (!spec->image)
		return err_set(err, ERR_INVALID, "--image: is missing");
	return 0;
}

static bool is_text(const char *text)
{
	cleanup(json_release) json_t *json = json_string(text);

	return json;
}

/* JSON holds nothing else, and what does not fit into it must not be left out. */
static int check_texts(const struct spec *spec, struct err *err)
{
	const char *what = NULL;

	for (const char *const *word = spec->command; *word; word++)
		what = is_text(*word) ? what : "the command";
	for (const struct spec_option *option = spec_options; option->name; option++) {
		const void *member = (const char *)spec + option->offset;
		const struct opt_list *list = member;

		if (!spec_has(spec, option))
			continue;
		if (option->type == OPT_TYPE_STR && !is_text(*(const char *const *)member))
			what = option->name;
		for (size_t i = 0; option->type == OPT_TYPE_LIST && i < list->len; i++)
			what = is_text(list->items[i]) ? what : option->name;
	}
	if (what)
		return err_set(err, ERR_INVALID, "%s: is not text in UTF-8", what);
	return 0;
}

static void set_labels(json_t *metadata, const struct submission *submission)
{
	const struct job *job = submission->job;
	json_t *labels = kube_object_at(metadata, "labels");
	char number[24];

	for (size_t i = 0; i < submission->spec->labels.len; i++) {
		const char *label = submission->spec->labels.items[i];
		cleanup_free char *key = str_dup_len(label, strcspn(label, "="));

		kube_set_text(labels, key, strchr(label, '=') + 1);
	}
	snprintf(number, sizeof(number), "%" PRIu64, job->id);
	kube_set_text(labels, KUBE_LABEL_UID, job->uid);
	kube_set_text(labels, KUBE_LABEL_JOB, number);
	kube_set_text(labels, "app.kubernetes.io/managed-by", "berth");
	if (job->name[0] != '\0')
		kube_set_text(kube_object_at(metadata, "annotations"), KUBE_NOTE_NAME, job->name);
}

/* How often it is tried, and what does not count as a try. */
static int fill_tries(json_t *job_spec, const struct spec *spec, struct err *err)
{
	const char *limit = spec->array ? "backoffLimitPerIndex" : "backoffLimit";
	uint64_t times = 0;
	size_t len = 0;

	if (spec->restart && !container_parse_restart(spec->restart, &len, &times))
		return err_set(err, ERR_INVALID, "--restart: '%.40s' is none", spec->restart);
	if (spec->restart && strncmp(spec->restart, "on-failure", len) == 0) {
		times = times ? times : TRIES;
	} else if (spec->restart && strncmp(spec->restart, "no", len) != 0) {
		return err_set(err, ERR_UNSUPPORTED,
			       "--restart: a Job ends with its command: say on-failure:TIMES");
	}
	if (spec->restart || !json_object_get(job_spec, limit))
		json_object_set_new(job_spec, limit,
				    json_integer((json_int_t)MIN(times, (uint64_t)INT32_MAX)));
	if (spec->requeue)
		json_object_set_new(job_spec, "podFailurePolicy",
				    json_pack("{s:[{s:s, s:[{s:s, s:s}]}]}", "rules", "action",
					      "Ignore", "onPodConditions", "type",
					      "DisruptionTarget", "status", "True"));
	return 0;
}

/* The limit is that of each task in an array, and of the whole otherwise. */
static void fill_times(json_t *job_spec, const struct spec *spec)
{
	json_t *pod = kube_object_at(json_object_get(job_spec, "template"), "spec");

	if (spec->time_ns)
		json_object_set_new(spec->array ? pod : job_spec, "activeDeadlineSeconds",
				    json_integer((json_int_t)((spec->time_ns + NSEC_PER_SEC - 1) /
							      NSEC_PER_SEC)));
	if (!json_object_get(job_spec, "ttlSecondsAfterFinished"))
		json_object_set_new(job_spec, "ttlSecondsAfterFinished", json_integer(KUBE_TTL_S));
}

/* As people write it. */
static json_t *start_job(const json_t *template)
{
	json_t *job = json_pack("{s:s, s:s, s:{}, s:{}}", "apiVersion", "batch/v1", "kind", "Job",
				"metadata", "spec");

	json_object_update(json_object_get(job, "metadata"), json_object_get(template, "metadata"));
	json_object_update(json_object_get(job, "spec"), json_object_get(template, "spec"));
	return job;
}

static void fill_metadata(json_t *metadata, const struct submission *submission)
{
	const struct spec *spec = submission->spec;
	cleanup_free char *name = kube_job_name(submission->job);

	/* One that is only shown has no uid yet; the API server makes such a name. */
	kube_set_text(metadata, submission->job->uid[0] ? "name" : "generateName", name);
	set_labels(metadata, submission);
	if (spec->comment)
		kube_set_text(kube_object_at(metadata, "annotations"), "berth.comment",
			      spec->comment);
}

int kube_make_job(const struct submission *submission, json_t **ret, struct err *err)
{
	const struct spec *spec = submission->spec;
	cleanup(json_release) json_t *template = NULL;
	cleanup(json_release) json_t *job = NULL;
	json_t *inside, *pod;

	if (spec_check_pods(spec, err) < 0 || refuse(spec, err) < 0 || check_texts(spec, err) < 0 ||
	    kube_read_template(submission->template, &template, err) < 0 ||
	    (spec->pod && kube_lay_over(template, spec->pod, err) < 0))
		return -1;
	job = start_job(template);
	fill_metadata(json_object_get(job, "metadata"), submission);
	inside = json_object_get(job, "spec");
	pod = kube_object_at(inside, "template");
	set_labels(kube_object_at(pod, "metadata"), submission);
	if (kube_fill_pod(kube_object_at(pod, "spec"), spec, err) < 0 ||
	    fill_tries(inside, spec, err) < 0 || kube_fill_indexed(inside, submission, err) < 0)
		return -1;
	fill_times(inside, spec);
	*ret = take_ptr(job);
	return 0;
}
