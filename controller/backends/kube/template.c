/* SPDX-License-Identifier: MIT */
/* The user's pod template; see template.h. */
#include "template.h"

#include <string.h>

#include "controller/backends/kube/manifest.h"
#include "controller/model/yaml_json.h"

int kube_read_template(const char *text, json_t **ret, struct err *err)
{
	cleanup(yaml_close) struct yaml y = { 0 };
	cleanup(json_release) json_t *json = NULL;
	const char *kind;
	struct fy_node *node;

	if (!text) {
		*ret = json_object();
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
	kind = json_string_value(json_object_get(json, "kind"));
	if (!json_is_object(json) ||
	    (kind && strcmp(kind, "Pod") != 0 && strcmp(kind, "PodTemplate") != 0))
		return err_set(err, ERR_INVALID,
			       "template: is no pod template: 'metadata' and 'spec' of a Pod");
	/* A PodTemplate has it one level down. */
	if (kind && strcmp(kind, "PodTemplate") == 0)
		*ret = json_incref(kube_object_at(json, "template"));
	else
		*ret = take_ptr(json);
	json_object_del(*ret, "kind");
	json_object_del(*ret, "apiVersion");
	return 0;
}
