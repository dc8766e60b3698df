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

static int refuse(const char *what, struct err *err)
{
	return err_set(err, ERR_INVALID,
		       "%s: is no pod template: 'metadata' and 'spec' of a Pod, or a Job", what);
}

static int take_kind(const char *what, json_t *json, json_t **ret, struct err *err)
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
		return refuse(what, err);
	json_object_del(template, "kind");
	json_object_del(template, "apiVersion");
	job = json_object();
	json_object_set(kube_object_at(job, "spec"), "template", template);
	*ret = take_ptr(job);
	return 0;
}

static int read_object(const char *what, const char *text, json_t **ret, struct err *err)
{
	cleanup(yaml_close) struct yaml y = { 0 };
	cleanup(json_release) json_t *json = NULL;
	struct fy_node *node;

	if (yaml_open(&y, what, span_of_str(text), err) < 0)
		return -1;
	node = yaml_next(&y);
	if (!node) {
		if (yaml_check_end(&y, err) < 0)
			return -1;
		return err_set(err, ERR_INVALID, "%s: is empty", what);
	}
	if (yaml_to_json(&y, node, &json, err) < 0)
		return -1;
	if (!json_is_object(json))
		return refuse(what, err);
	*ret = take_ptr(json);
	return 0;
}

int kube_read_template(const char *text, json_t **ret, struct err *err)
{
	cleanup(json_release) json_t *json = NULL;

	if (!text) {
		*ret = json_object(); /* all of it is made where it is filled */
		return 0;
	}
	if (read_object("template", text, &json, err) < 0)
		return -1;
	return take_kind("template", json, ret, err);
}

/* By what the items of a list are told apart; NULL: it is not merged. */
static const char *key_of_list(const char *name)
{
	static const struct {
		const char *list, *key;
	} lists[] = {
		{ "containers", "name" }, { "initContainers", "name" },
		{ "volumes", "name" },	  { "imagePullSecrets", "name" },
		{ "env", "name" },	  { "volumeMounts", "mountPath" },
	};

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		if (strcmp(lists[i].list, name) == 0)
			return lists[i].key;
	}
	return NULL;
}

static void lay(json_t *under, const json_t *over);

static void lay_list(json_t *under, const json_t *over, const char *key)
{
	json_t *item, *before;
	size_t i;

	json_array_foreach(over, i, item) {
		const char *name = json_string_value(json_object_get(item, key));

		before = name ? kube_item_with(under, key, name) : NULL;
		if (before)
			lay(before, item);
		else
			json_array_append_new(under, json_deep_copy(item));
	}
}

/* No deeper than YAML is read. */
static void lay(json_t *under, const json_t *over)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)over, name, value) {
		json_t *before = json_object_get(under, name);
		const char *key = key_of_list(name);

		if (json_is_null(value))
			json_object_del(under, name);
		else if (json_is_object(before) && json_is_object(value))
			lay(before, value);
		else if (key && json_is_array(before) && json_is_array(value))
			lay_list(before, value, key);
		else
			json_object_set_new(under, name, json_deep_copy(value));
	}
}

/* What a Pod or a Job has at its top, and a PodSpec has not. */
static bool is_spec(const json_t *json)
{
	static const char *const top[] = { "kind", "metadata", "spec", "template" };

	for (size_t i = 0; i < ARRAY_LEN(top); i++) {
		if (json_object_get(json, top[i]))
			return false;
	}
	return true;
}

int kube_lay_over(json_t *template, const char *pod, struct err *err)
{
	cleanup(json_release) json_t *json = NULL;
	cleanup(json_release) json_t *over = NULL;

	if (read_object("--pod", pod, &json, err) < 0)
		return -1;
	if (is_spec(json)) {
		json_t *whole = json_pack("{s:O}", "spec", json);

		json_decref(json);
		json = whole;
	}
	if (take_kind("--pod", json, &over, err) < 0)
		return -1;
	lay(template, over);
	return 0;
}
