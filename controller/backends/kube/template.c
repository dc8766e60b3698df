/* SPDX-License-Identifier: MIT */
/* The user's pod template; see template.h. */
#include "template.h"

#include <string.h>

#include "controller/backends/kube/manifest.h"
#include "controller/model/yaml_json.h"

/* What the server or its controllers say, and names, of which there is one to each job. */
static void drop_foreign(json_t *job)
{
	static const char *const of_job[] = { "selector", "manualSelector" };
	json_t *metadata = kube_object_at(job, "metadata");
	json_t *labels = json_incref(kube_object_at(metadata, "labels"));
	json_t *annotations = json_incref(kube_object_at(metadata, "annotations"));

	json_object_clear(metadata);
	if (json_object_size(annotations) > 0)
		json_object_set(metadata, "annotations", annotations);
	json_object_set_new(metadata, "labels", labels);
	json_decref(annotations);
	for (size_t i = 0; i < ARRAY_LEN(of_job); i++)
		json_object_del(kube_object_at(job, "spec"), of_job[i]);
	json_object_del(job, "status");
}

static int refuse(struct err *err)
{
	return err_set(err, ERR_INVALID,
		       "template: is no pod template: 'metadata' and 'spec' of a Pod, or a Job");
}

static int take_kind(json_t *json, json_t **ret, struct err *err)
{
	const char *kind = json_string_value(json_object_get(json, "kind"));
	cleanup(json_release) json_t *job = NULL;
	json_t *template = json;

	if (kind && strcmp(kind, "Job") == 0) {
		drop_foreign(json);
		*ret = json_incref(json);
		return 0;
	}
	/* A PodTemplate has it one level down. */
	if (kind && strcmp(kind, "PodTemplate") == 0)
		template = kube_object_at(json, "template");
	else if (kind && strcmp(kind, "Pod") != 0)
		return refuse(err);
	json_object_del(template, "kind");
	json_object_del(template, "apiVersion");
	job = json_object();
	json_object_set(kube_object_at(job, "spec"), "template", template);
	*ret = take_ptr(job);
	return 0;
}

int kube_read_template(const char *text, json_t **ret, struct err *err)
{
	cleanup(yaml_close) struct yaml y = { 0 };
	cleanup(json_release) json_t *json = NULL;
	struct fy_node *node;

	if (!text) {
		*ret = json_object(); /* all of it is made where it is filled */
		return 0;
	}
	if (yaml_open(&y, "template", span_of_str(text), err) < 0)
		return -1;
	node = yaml_next(&y);
	if (!node) {
		if (yaml_check_end(&y, err) < 0)
			return -1;
		return err_set(err, ERR_INVALID, "template: is empty");
	}
	if (yaml_to_json(&y, node, &json, err) < 0)
		return -1;
	if (!json_is_object(json))
		return refuse(err);
	return take_kind(json, ret, err);
}
