/* SPDX-License-Identifier: MIT */
/* Job files in YAML and JSON, by libfyaml; see spec_file.h. */
#include <stdio.h>
#include <string.h>

#include "controller/model/spec_file.h"
#include "controller/model/yaml.h"
#include "controller/model/yaml_json.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

struct reader {
	struct yaml *yaml;
	struct spec_file *file;
};

static const char *read_text(struct reader *r, struct fy_node *node, struct err *err)
{
	size_t len = 0;
	const char *text = yaml_text(r->yaml, node, &len, err);

	return text ? spec_file_keep(r->file, text, len) : NULL;
}

static int read_command(struct reader *r, struct spec_document *job, struct fy_node *node,
			struct err *err)
{
	struct fy_node *item;
	void *iterator = NULL;
	size_t len = 0;

	job->spec.command = job->command;
	if (!node || !fy_node_is_sequence(node)) {
		job->command[0] = "/bin/sh";
		job->command[1] = "-c";
		job->command[2] = read_text(r, node, err);
		return job->command[2] ? 0 : -1;
	}
	while ((item = fy_node_sequence_iterate(node, &iterator))) {
		if (len == SPEC_COMMAND_MAX)
			return err_set(err, ERR_LIMIT, "more than %d words", SPEC_COMMAND_MAX);
		job->command[len] = read_text(r, item, err);
		if (!job->command[len++])
			return -1;
	}
	return 0;
}

/* {KEY: VALUE} */
static int read_assignments(struct reader *r, struct spec *spec, const struct spec_option *option,
			    struct fy_node *node, struct err *err)
{
	struct fy_node_pair *pair;
	void *iterator = NULL;

	while ((pair = fy_node_mapping_iterate(node, &iterator))) {
		const char *key = read_text(r, fy_node_pair_key(pair), err);
		const char *value = key ? read_text(r, fy_node_pair_value(pair), err) : NULL;
		cleanup_free char *assignment = NULL;

		if (!value)
			return -1;
		assignment = str_printf("%s=%s", key, value);
		if (spec_set(spec, option, spec_file_keep(r->file, assignment, strlen(assignment)),
			     err) < 0)
			return -1;
	}
	return 0;
}

static int read_list(struct reader *r, struct spec *spec, const struct spec_option *option,
		     struct fy_node *node, struct err *err)
{
	struct fy_node *item;
	void *iterator = NULL;

	while ((item = fy_node_sequence_iterate(node, &iterator))) {
		const char *text = read_text(r, item, err);

		if (!text || spec_set(spec, option, text, err) < 0)
			return -1;
	}
	return 0;
}

/* A pod is written as Kubernetes has it, and is a text to us. */
static int read_pod(struct reader *r, struct spec *spec, const struct spec_option *option,
		    struct fy_node *node, struct err *err)
{
	cleanup(json_release) json_t *json = NULL;
	cleanup_free char *text = NULL;

	if (yaml_to_json(r->yaml, node, &json, err) < 0)
		return -1;
	text = json_dumps(json, JSON_COMPACT);
	if (!text)
		return err_set(err, ERR_LIMIT, "is too long");
	return spec_set(spec, option, spec_file_keep(r->file, text, strlen(text)), err);
}

static int read_option(struct reader *r, struct spec *spec, const struct spec_option *option,
		       struct fy_node *node, struct err *err)
{
	const char *text;

	if (option->type == OPT_TYPE_LIST && node && fy_node_is_sequence(node))
		return read_list(r, spec, option, node, err);
	if (option->type == OPT_TYPE_LIST && node && fy_node_is_mapping(node) &&
	    strcmp(option->name, "env") == 0)
		return read_assignments(r, spec, option, node, err);
	if (strcmp(option->name, "pod") == 0 && node && fy_node_is_mapping(node))
		return read_pod(r, spec, option, node, err);
	text = read_text(r, node, err);
	return text ? spec_set(spec, option, text, err) : -1;
}

static int refuse_key(const char *key, struct err *err)
{
	static const char *const own[] = { "name", "command", "backend" };
	const char *nearest = NULL;
	unsigned int best = 3, far;

	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		far = text_distance(key, own[i]);
		if (far < best) {
			best = far;
			nearest = own[i];
		}
	}
	for (const struct spec_option *option = spec_options; option->name; option++) {
		far = text_distance(key, option->name);
		if (far < best) {
			best = far;
			nearest = option->name;
		}
	}
	if (nearest)
		return err_set(err, ERR_INVALID, "no such key: did you mean '%s'?", nearest);
	return err_set(err, ERR_INVALID, "no such key: see berth-run's options");
}

static int read_pair(struct reader *r, struct spec_document *job, const char *key,
		     struct fy_node *node, struct err *err)
{
	const struct spec_option *option = spec_find_option(key);

	if (strcmp(key, "name") == 0)
		return (job->spec.name = read_text(r, node, err)) ? 0 : -1;
	if (strcmp(key, "backend") == 0)
		return (job->backend = read_text(r, node, err)) ? 0 : -1;
	if (strcmp(key, "command") == 0)
		return read_command(r, job, node, err);
	if (!option)
		return refuse_key(key, err);
	return read_option(r, &job->spec, option, node, err);
}

static int read_job(struct reader *r, struct fy_node *root, struct err *err)
{
	struct spec_document *job = spec_file_add(r->file);
	struct fy_node_pair *pair;
	void *iterator = NULL;

	if (!fy_node_is_mapping(root)) {
		r->yaml->at = root;
		err_set(err, ERR_INVALID, "a job is written as KEY: VALUE lines");
		return yaml_place(r->yaml, NULL, err);
	}
	while ((pair = fy_node_mapping_iterate(root, &iterator))) {
		struct fy_node *node = fy_node_pair_key(pair);
		const char *key = read_text(r, node, err);
		cleanup_free char *shown = str_printf("'%.60s'", key ? key : "");

		text_make_printable(shown);
		if (!key || read_pair(r, job, key, fy_node_pair_value(pair), err) < 0)
			return yaml_place(r->yaml, shown, err);
	}
	return 0;
}

int spec_yaml_parse(const char *file, struct span text, struct spec_file *ret, struct err *err)
{
	cleanup(yaml_close) struct yaml y = { 0 };
	struct reader r = { .yaml = &y, .file = ret };
	struct fy_node *root;

	if (yaml_open(&y, file, text, err) < 0)
		return -1;
	while ((root = yaml_next(&y))) {
		if (ret->len == SPEC_FILE_JOBS)
			return err_set(err, ERR_LIMIT, "%s: more than %d jobs", file,
				       SPEC_FILE_JOBS);
		if (read_job(&r, root, err) < 0)
			return -1;
	}
	return yaml_check_end(&y, err);
}
