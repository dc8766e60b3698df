/* SPDX-License-Identifier: MIT */
/* JSON schemas; see schema.h. */
#include "schema.h"

#include <string.h>

#include "controller/model/json.h"
#include "controller/model/job.h"
#include "controller/model/report.h"
#include "controller/model/spec_options.h"
#include "controller/output/schema_members.h"
#include "init/base/opt.h"

#define DIALECT "https://json-schema.org/draft/2020-12/schema"
#define JOB_FILE "job-file"
#define NAMES_MAX 400

static json_t *type_of(const char *name)
{
	return json_pack("{s:s}", "type", name);
}

static json_t *states(void)
{
	json_t *words = json_array();

#define X(name, ended) json_array_append_new(words, json_string(#name));
	JOB_STATES(X)
#undef X
	return json_pack("{s:s, s:o}", "type", "string", "enum", words);
}

static json_t *object_of(const struct member *members);

static json_t *value_of(const struct member *member)
{
	switch (member->type) {
	case MEMBER_TEXT:
		return type_of("string");
	case MEMBER_NUMBER:
		return json_pack("{s:s, s:i}", "type", "integer", "minimum", 0);
	case MEMBER_TRUTH:
		return type_of("boolean");
	case MEMBER_TIME:
		return json_pack("{s:s, s:s}", "type", "string", "format", "date-time");
	case MEMBER_STATE:
		return states();
	case MEMBER_LIST:
		return json_pack("{s:s, s:o}", "type", "array", "items", object_of(member->items));
	case MEMBER_NUMBERS:
		return json_pack("{s:s, s:{s:s}}", "type", "object", "additionalProperties", "type",
				 "integer");
	}
	return json_object();
}

static void add_member(const struct member *member, json_t *properties, json_t *required)
{
	json_t *value = value_of(member);

	if (member->need != MEMBER_ALWAYS)
		value = json_pack("{s:[o, o]}", "anyOf", value, type_of("null"));
	json_object_set_new(value, "description", json_string(member->about));
	json_object_set_new(properties, member->name, value);
	if (member->need != MEMBER_OPTIONAL)
		json_array_append_new(required, json_string(member->name));
}

static json_t *object_of(const struct member *members)
{
	json_t *properties = json_object(), *required = json_array();

	for (; members->name; members++)
		add_member(members, properties, required);
	return json_pack("{s:s, s:o, s:o}", "type", "object", "properties", properties, "required",
			 required);
}

/* The scheduler's facts have a table of their own; each may be null. */
static json_t *report_object(void)
{
	json_t *properties = json_object(), *required = json_array();

	for (int i = 0; i < REPORT_FACTS_LEN; i++) {
		const struct member member = {
			.name = report_facts[i].key,
			.type = report_facts[i].unit == REPORT_TIME ? MEMBER_TIME : MEMBER_NUMBER,
			.need = MEMBER_NULL,
			.about = report_facts[i].title,
		};

		add_member(&member, properties, required);
	}
	return json_pack("{s:s, s:o, s:o}", "type", "object", "properties", properties, "required",
			 required);
}

static json_t *list_of(const struct listed *listed)
{
	json_t *items = listed->members ? object_of(listed->members) : report_object();

	json_object_set_new(items, "description", json_string(listed->about));
	return json_pack("{s:s, s:o}", "type", "array", "items", items);
}

/* What YAML and JSON may have for an option of each type: all scalars are read as text. */
static json_t *option_value(enum opt_type type)
{
	switch (type) {
	case OPT_TYPE_FLAG:
		return type_of("boolean");
	case OPT_TYPE_UINT:
	case OPT_TYPE_COUNT:
		return json_pack("{s:s, s:i}", "type", "integer", "minimum", 0);
	case OPT_TYPE_LIST:
		return json_pack("{s:[{s:s}, {s:s, s:{s:s}}]}", "anyOf", "type", "string", "type",
				 "array", "items", "type", "string");
	case OPT_TYPE_STR:
	case OPT_TYPE_SIZE:
	case OPT_TYPE_DURATION:
	case OPT_TYPE_END:
		break;
	}
	return json_pack("{s:[s, s]}", "type", "string", "integer");
}

/* Of one document of a job file. */
static json_t *job_file(void)
{
	static const struct {
		const char *name, *about;
		enum opt_type type;
	} options[] = {
#define X(kind, letter, name, member, value, check, sbatch, local, help) \
	{ name, help, OPT_TYPE_##kind },
		SPEC_OPTIONS(X)
#undef X
	}, aliases[] = {
#define X(kind, name, member) { name, "Slurm's name for it", OPT_TYPE_##kind },
		SPEC_ALIASES(X)
#undef X
	};
	json_t *properties = json_pack(
		"{s:{s:s, s:s}, s:{s:s, s:s}, s:{s:[{s:s}, {s:s, s:{s:[s, s]}, s:i}], s:s}}",
		"name", "type", "string", "description", "the name of the job", "backend", "type",
		"string", "description", "where it runs", "command", "anyOf", "type", "string",
		"type", "array", "items", "type", "string", "integer", "minItems", 1, "description",
		"a list of words, or one text for /bin/sh -c");
	json_t *env;

	for (size_t i = 0; i < ARRAY_LEN(options) + ARRAY_LEN(aliases); i++) {
		bool is_alias = i >= ARRAY_LEN(options);
		const char *name =
			is_alias ? aliases[i - ARRAY_LEN(options)].name : options[i].name;
		json_t *value = option_value(is_alias ? aliases[i - ARRAY_LEN(options)].type
						      : options[i].type);

		json_object_set_new(value, "description",
				    json_string(is_alias ? aliases[i - ARRAY_LEN(options)].about
							 : options[i].about));
		json_object_set_new(properties, name, value);
	}
	json_object_set_new(json_object_get(properties, "pod"), "type",
			    json_pack("[s, s]", "string", "object"));
	env = json_object_get(json_object_get(properties, "env"), "anyOf");
	json_array_append_new(env, json_pack("{s:s, s:{s:[s, s]}}", "type", "object",
					     "additionalProperties", "type", "string", "integer"));
	return json_pack("{s:s, s:s, s:o, s:[s], s:b}", "description",
			 "a document of a job file for berth submit", "type", "object",
			 "properties", properties, "required", "command", "additionalProperties",
			 0);
}

static int print(json_t *schema, const struct output *output, struct err *err)
{
	cleanup(json_release) json_t *owned = schema;

	json_dumpf(owned, output->out, JSON_INDENT(2));
	fputc('\n', output->out);
	return output_end(output, err);
}

static json_t *all(void)
{
	json_t *definitions = json_object();

	for (const struct listed *listed = schema_listed; listed->name; listed++)
		json_object_set_new(definitions, listed->name, list_of(listed));
	json_object_set_new(definitions, JOB_FILE, job_file());
	return json_pack("{s:s, s:s, s:o}", "$schema", DIALECT, "title",
			 "what berth prints with -o json, and what berth submit reads", "$defs",
			 definitions);
}

/* "jobs, job-counts, ..., job-file" */
static void add_names(json_t *definitions, char *out, size_t size)
{
	const char *name;
	json_t *value;
	size_t len = 0;

	json_object_foreach(definitions, name, value) {
		if (len < size)
			len += (size_t)snprintf(out + len, size - len, "%s%s", len ? ", " : "",
						name);
	}
}

int output_schema(const char *name, const struct output *output, struct err *err)
{
	cleanup(json_release) json_t *schemas = all();
	json_t *definitions = json_object_get(schemas, "$defs"), *one;
	char names[NAMES_MAX];

	if (!name)
		return print(json_incref(schemas), output, err);
	if (!json_object_get(definitions, name)) {
		add_names(definitions, names, sizeof(names));
		return err_set(err, ERR_INVALID, "no schema of '%.40s': there are %s", name, names);
	}
	one = json_pack("{s:s, s:s}", "$schema", DIALECT, "title", name);
	json_object_update(one, json_object_get(definitions, name));
	return print(one, output, err);
}
