/* SPDX-License-Identifier: MIT */
/* Nodes and resources of tasks; see placement.h. */
#include "placement.h"

#include <string.h>

#include "init/base/alloc.h"
#include "init/base/text.h"

/* As nodes with Nvidia's GPUs announce them. */
#define GPU_KIND "NVIDIA-GPU"

static void add(json_t *constraints, const char *key, const char *operator, const char * value)
{
	json_array_append_new(constraints, json_sprintf("%s%s%s", key, operator, value));
}

/* "disk=ssd" is a label; "node.role==manager" and its like stand for themselves. */
static int add_feature(json_t *constraints, const char *text, size_t len, struct err *err)
{
	bool is_not = len > 0 && text[0] == '!';
	cleanup_free char *feature = str_dup_len(text + is_not, len - is_not);
	cleanup_free char *label = NULL;
	char *value = strchr(feature, '=');

	if (!is_not && (strncmp(feature, "node.", 5) == 0 || strncmp(feature, "engine.", 7) == 0) &&
	    value) {
		json_array_append_new(constraints, json_string(feature));
		return 0;
	}
	if (!value || value == feature || value[1] == '\0' || feature[strcspn(feature, "()[]*,|")])
		return err_set(
			err, ERR_UNSUPPORTED,
			"--constraint: '%.80s': labels of nodes are understood, such as disk=ssd or "
			"!disk=ssd, and node.role==worker, joined by &",
			feature);
	*value++ = '\0';
	label = str_printf("node.labels.%s", feature);
	add(constraints, label, is_not ? "!=" : "==", value);
	return 0;
}

static int add_features(json_t *constraints, const char *text, struct err *err)
{
	while (text && *text) {
		size_t len = strcspn(text, "&");

		if (add_feature(constraints, text, len, err) < 0)
			return -1;
		text += len + (text[len] == '&');
	}
	return 0;
}

/* One name, or several of which none is wanted: a Swarm knows no "or". */
static int add_names(json_t *constraints, const char *option, const char *names, struct err *err)
{
	bool is_not = strcmp(option, "exclude") == 0;

	if (!names)
		return 0;
	if (names[strcspn(names, is_not ? "[]" : "[],")])
		return err_set(
			err, ERR_UNSUPPORTED,
			is_not ? "--%s: '%.80s': nodes are called by their names, with commas "
				 "between"
			       : "--%s: '%.80s': a Swarm takes one node, or what --constraint "
				 "says of labels",
			option, names);
	while (*names) {
		size_t len = strcspn(names, ",");
		cleanup_free char *name = str_dup_len(names, len);

		if (len > 0)
			add(constraints, "node.hostname", is_not ? "!=" : "==", name);
		names += len + (names[len] == ',');
	}
	return 0;
}

static int add_resource(json_t *list, const char *option, const char *text, struct err *err)
{
	cleanup_free char *kind = str_dup(text);
	char *colon = strrchr(kind, ':');
	const char *number = colon ? colon + 1 : kind;
	uint64_t count;

	if (!text_parse_uint(number, INT32_MAX, &count) || colon == kind)
		return err_set(err, ERR_UNSUPPORTED,
			       "--%s: '%.80s': a Swarm takes a number, or KIND:NUMBER of what its "
			       "nodes announce",
			       option, text);
	if (colon)
		*colon = '\0';
	if (count > 0)
		json_array_append_new(list, json_pack("{s:{s:s, s:I}}", "DiscreteResourceSpec",
						      "Kind", colon ? kind : GPU_KIND, "Value",
						      (json_int_t)count));
	return 0;
}

static int add_generic(json_t *reservations, const struct spec *spec, struct err *err)
{
	cleanup(json_release) json_t *list = json_array();
	const char *gres = spec->gres;

	if (spec->gpus && spec->tasks > 1)
		return err_set(err, ERR_UNSUPPORTED,
			       "--gpus: tasks may be on several nodes: say --gpus-per-task");
	if ((spec->gpus && add_resource(list, "gpus", spec->gpus, err) < 0) ||
	    (spec->gpus_per_task &&
	     add_resource(list, "gpus-per-task", spec->gpus_per_task, err) < 0))
		return -1;
	while (gres && *gres) {
		size_t len = strcspn(gres, ",");
		cleanup_free char *item = str_dup_len(gres, len);

		if (!strchr(item, ':'))
			return err_set(err, ERR_INVALID, "--gres: '%.80s' is not KIND:NUMBER",
				       item);
		if (add_resource(list, "gres", item, err) < 0)
			return -1;
		gres += len + (gres[len] == ',');
	}
	if (json_array_size(list) > 0)
		json_object_set_new(reservations, "GenericResources", take_ptr(list));
	return 0;
}

static void add_share(json_t *share, const json_t *host)
{
	json_t *cpus = json_object_get(host, "NanoCpus"), *memory = json_object_get(host, "Memory");

	if (cpus)
		json_object_set(share, "NanoCPUs", cpus);
	if (memory)
		json_object_set(share, "MemoryBytes", memory);
}

int swarm_place(json_t *template, const struct spec *spec, const json_t *body, struct err *err)
{
	const json_t *host = json_object_get(body, "HostConfig");
	json_t *constraints = json_array(), *limits = json_object(), *kept = json_object();
	json_t *placement = json_pack("{s:o}", "Constraints", constraints);

	json_object_set_new(template, "Placement", placement);
	json_object_set_new(template, "Resources",
			    json_pack("{s:o, s:o}", "Limits", limits, "Reservations", kept));
	add_share(limits, host);
	add_share(kept, host);
	/* On as many nodes as there are tasks. */
	if (spec->nodes > 1)
		json_object_set_new(placement, "MaxReplicas", json_integer(1));
	if (add_features(constraints, spec->constraint, err) < 0 ||
	    add_names(constraints, "nodelist", spec->nodelist, err) < 0 ||
	    add_names(constraints, "exclude", spec->exclude, err) < 0)
		return -1;
	return add_generic(kept, spec, err);
}
