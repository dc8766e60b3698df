/* SPDX-License-Identifier: MIT */
/* Job files in YAML and JSON, by libfyaml; see spec_file.h. */
/* The header's conveniences allocate on the stack, which is refused here, and are not needed. */
#define FY_ALLOCA_COPY_FREE(text, len) NULL
#define FY_ALLOCA_COPY_FREE_NO_NULL(text, len) NULL

#include <libfyaml.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "controller/model/spec_file.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

struct reader {
	const char *name; /* of the file, for messages */
	struct spec_file *file;
	struct fy_node *at; /* what an error is about */
	char complaint[ERR_TEXT_MAX / 2];
};

static inline void parser_release(struct fy_parser *parser)
{
	fy_parser_destroy(parser);
}
DEFINE_CLEANUP(struct fy_parser, parser_release)

static inline void diag_release(struct fy_diag *diag)
{
	fy_diag_destroy(diag);
}
DEFINE_CLEANUP(struct fy_diag, diag_release)

/* The first line that libfyaml says; the rest repeats the source. */
static void take_complaint(struct fy_diag *diag, void *user, const char *text, size_t len)
{
	struct reader *r = user;

	(void)diag;
	if (r->complaint[0] == '\0')
		snprintf(r->complaint, sizeof(r->complaint), "%.*s", (int)MIN(len, (size_t)INT_MAX),
			 text);
}

/* "<memory-...>:3:1: error: words" without what is not for people. */
static int refuse_syntax(struct reader *r, struct err *err)
{
	char *where = strstr(r->complaint, ">:"), *words = strstr(r->complaint, " error: ");

	r->complaint[strcspn(r->complaint, "\n")] = '\0';
	text_make_printable(r->complaint);
	if (!where || !words || words < where)
		return err_set(err, ERR_INVALID, "%s: is no YAML: %s", r->name, r->complaint);
	return err_set(err, ERR_INVALID, "%s%.*s %s", r->name, (int)(words - where - 1), where + 1,
		       words + strlen(" error: "));
}

/* Puts FILE:LINE:COLUMN, and the name of the key, before what is wrong. */
static int place(struct reader *r, const char *key, struct err *err)
{
	struct fy_token *token = r->at ? fy_node_get_scalar_token(r->at) : NULL;
	const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;

	if (!mark)
		return err_wrap(err, "%s%s%s", r->name, key ? ": " : "", key ? key : "");
	return err_wrap(err, "%s:%d:%d%s%s", r->name, mark->line + 1, mark->column + 1,
			key ? ": " : "", key ? key : "");
}

static const char *read_text(struct reader *r, struct fy_node *node, struct err *err)
{
	const char *text;
	size_t len;

	if (!node || !fy_node_is_scalar(node) || fy_node_is_alias(node)) {
		err_set(err, ERR_INVALID,
			node && fy_node_is_alias(node) ? "aliases are not understood: write it out"
						       : "one text or number is needed here");
		return NULL;
	}
	text = fy_node_get_scalar(node, &len);
	if (fy_node_is_null(node) || !text || memchr(text, '\0', len)) {
		err_set(err, ERR_INVALID, "has no value: leave the key out, or write \"\"");
		return NULL;
	}
	r->at = node;
	return spec_file_keep(r->file, text, len);
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

static int read_option(struct reader *r, struct spec *spec, const struct spec_option *option,
		       struct fy_node *node, struct err *err)
{
	const char *text;

	if (option->type == OPT_TYPE_LIST && node && fy_node_is_sequence(node))
		return read_list(r, spec, option, node, err);
	if (option->type == OPT_TYPE_LIST && node && fy_node_is_mapping(node) &&
	    strcmp(option->name, "env") == 0)
		return read_assignments(r, spec, option, node, err);
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
		r->at = root;
		err_set(err, ERR_INVALID, "a job is written as KEY: VALUE lines");
		return place(r, NULL, err);
	}
	while ((pair = fy_node_mapping_iterate(root, &iterator))) {
		struct fy_node *node = fy_node_pair_key(pair);
		const char *key = read_text(r, node, err);
		cleanup_free char *shown = str_printf("'%.60s'", key ? key : "");

		text_make_printable(shown);
		if (!key || read_pair(r, job, key, fy_node_pair_value(pair), err) < 0)
			return place(r, shown, err);
	}
	return 0;
}

int spec_yaml_parse(const char *file, struct span text, struct spec_file *ret, struct err *err)
{
	struct reader r = { .name = file, .file = ret };
	const struct fy_diag_cfg to = { .output_fn = take_complaint,
					.user = &r,
					.level = FYET_ERROR,
					.module_mask = UINT_MAX };
	cleanup(diag_release) struct fy_diag *diag = fy_diag_create(&to);
	const struct fy_parse_cfg config = { .search_path = "", .diag = diag };
	cleanup(parser_release) struct fy_parser *parser = fy_parser_create(&config);
	struct fy_document *document;
	int result = 0;

	if (text.len == 0)
		return 0;
	if (!parser || fy_parser_set_string(parser, (const char *)text.ptr, text.len) < 0)
		return err_set(err, ERR_INTERNAL, "%s: no parser", file);
	while (result == 0 && (document = fy_parse_load_document(parser))) {
		struct fy_node *root = fy_document_root(document);

		if (ret->len == SPEC_FILE_JOBS)
			result = err_set(err, ERR_LIMIT, "%s: more than %d jobs", file,
					 SPEC_FILE_JOBS);
		else if (root && !fy_node_is_null(root))
			result = read_job(&r, root, err);
		fy_parse_document_destroy(parser, document);
	}
	if (result == 0 && (fy_parser_get_stream_error(parser) || r.complaint[0] != '\0'))
		return refuse_syntax(&r, err);
	return result;
}
