/* SPDX-License-Identifier: MIT */
/* Which nodes the pod of a job wants, and how important it is; see pod.h. */
#include <string.h>

#include "controller/backends/kube/manifest.h"
#include "controller/backends/kube/pod.h"
#include "init/base/alloc.h"

#define HOSTNAME "kubernetes.io/hostname"
#define REQUIRED "requiredDuringSchedulingIgnoredDuringExecution"
#define TERMS "nodeSelectorTerms"

static void add_expression(json_t *list, const char *key, const char *operator, json_t * values)
{
	json_t *expression = json_pack("{s:s, s:s}", "key", key, "operator", operator);

	if (values)
		json_object_set_new(expression, "values", values);
	json_array_append_new(list, expression);
}

/* "disk=ssd", "gpu" (has the label), or either with ! in front. */
static int add_feature(json_t *list, const char *text, size_t len, struct err *err)
{
	bool is_not = len > 0 && text[0] == '!';
	cleanup_free char *feature = str_dup_len(text + is_not, len - is_not);
	char *value = strchr(feature, '=');

	if (feature[0] == '\0' || feature[0] == '=' || feature[strcspn(feature, "()[]*,")])
		return err_set(err, ERR_UNSUPPORTED,
			       "--constraint: labels of nodes are understood, such as disk=ssd or "
			       "gpu, joined by & (both) and | (either), with ! for none such");
	if (value) {
		*value++ = '\0';
		add_expression(list, feature, is_not ? "NotIn" : "In", json_pack("[s]", value));
	} else {
		add_expression(list, feature, is_not ? "DoesNotExist" : "Exists", NULL);
	}
	return 0;
}

static int add_features(json_t *list, const char *text, size_t len, struct err *err)
{
	while (len > 0) {
		const char *end = memchr(text, '&', len);
		size_t feature = end ? (size_t)(end - text) : len;

		if (add_feature(list, text, feature, err) < 0)
			return -1;
		text += feature + (end != NULL);
		len -= feature + (end != NULL);
	}
	return 0;
}

static int add_nodes(json_t *list, const char *option, const char *nodes, struct err *err)
{
	json_t *names = json_array();

	add_expression(list, HOSTNAME, strcmp(option, "exclude") == 0 ? "NotIn" : "In", names);
	if (strpbrk(nodes, "[]"))
		return err_set(
			err, ERR_UNSUPPORTED,
			"--%s: '%.80s': nodes are called by their names, with commas between",
			option, nodes);
	for (const char *p = nodes; *p;) {
		size_t len = strcspn(p, ",");

		if (len > 0)
			json_array_append_new(names, json_stringn(p, len));
		p += len + (p[len] == ',');
	}
	return 0;
}

/* A list of terms, any of which will do: one for each side of | in the constraint. */
static int make_terms(const struct spec *spec, json_t *terms, struct err *err)
{
	const char *p = spec->constraint ? spec->constraint : "";

	for (bool more = true; more;) {
		json_t *term = json_pack("{s:[]}", "matchExpressions");
		json_t *list = json_object_get(term, "matchExpressions");
		size_t len = strcspn(p, "|");

		json_array_append_new(terms, term);
		if (spec->constraint && len == 0)
			return err_set(err, ERR_INVALID, "--constraint: '%.80s' has an empty side",
				       spec->constraint);
		if (add_features(list, p, len, err) < 0 ||
		    (spec->nodelist && add_nodes(list, "nodelist", spec->nodelist, err) < 0) ||
		    (spec->exclude && add_nodes(list, "exclude", spec->exclude, err) < 0))
			return -1;
		more = p[len] == '|';
		p += len + more;
	}
	return 0;
}

/* Each of ours together with each of theirs: both have to hold. */
static json_t *join_terms(const json_t *ours, const json_t *theirs)
{
	json_t *all = json_array();
	const json_t *our, *their;
	size_t i, n;

	json_array_foreach(ours, i, our) {
		json_array_foreach(theirs, n, their) {
			json_t *both = json_deep_copy(their);

			json_array_extend(kube_array_at(both, "matchExpressions"),
					  json_object_get(our, "matchExpressions"));
			json_array_append_new(all, both);
		}
	}
	return all;
}

static int fill_affinity(json_t *pod, const struct spec *spec, struct err *err)
{
	cleanup(json_release) json_t *terms = json_array();
	json_t *required, *theirs;

	if (!spec->constraint && !spec->nodelist && !spec->exclude)
		return 0;
	if (make_terms(spec, terms, err) < 0)
		return -1;
	required = kube_object_at(kube_object_at(kube_object_at(pod, "affinity"), "nodeAffinity"),
				  REQUIRED);
	theirs = json_object_get(required, TERMS);
	if (json_array_size(theirs) > 0)
		json_object_set_new(required, TERMS, join_terms(terms, theirs));
	else
		json_object_set(required, TERMS, terms);
	return 0;
}

int kube_fill_scheduling(json_t *pod, const struct spec *spec, struct err *err)
{
	if (spec->qos)
		kube_set_text(pod, "priorityClassName", spec->qos);
	return fill_affinity(pod, spec, err);
}
