/* SPDX-License-Identifier: MIT */
/* spec.json, read back; see job_spec.h. */
#include "job_spec.h"

#include "init/base/indices.h"
#include "controller/model/json.h"
#include "controller/model/ref.h"
#include "controller/model/spec.h"

#define COUNT_MAX (INT64_C(1) << 32)

/* false: it is there, and is no text. */
static bool read_text(const json_t *object, const char *name, const char **ret)
{
	const json_t *value = json_object_get(object, name);

	*ret = json_string_value(value);
	return !value || *ret;
}

static bool read_count(const json_t *object, const char *name, uint64_t *ret)
{
	const json_t *value = json_object_get(object, name);

	if (!value)
		return true;
	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    json_integer_value(value) > COUNT_MAX)
		return false;
	*ret = (uint64_t)json_integer_value(value);
	return true;
}

/* The words stay the object's; free() the array. */
static const char **read_command(const json_t *object)
{
	const json_t *array = json_object_get(object, "command");
	cleanup_free const char **words = NULL;
	size_t len = json_array_size(array);

	if (len == 0)
		return NULL;
	words = new_array(const char *, len + 1);
	for (size_t i = 0; i < len; i++) {
		words[i] = json_string_value(json_array_get(array, i));
		if (!words[i])
			return NULL;
	}
	return take_ptr(words);
}

static bool read_spec(const json_t *object, struct spec *spec)
{
	/* What the words of a script are matters here, not its text. */
	spec->script = json_is_true(json_object_get(object, "script")) ? "" : NULL;
	return read_text(object, "name", &spec->name) && read_text(object, "array", &spec->array) &&
	       read_text(object, "partition", &spec->partition) &&
	       read_text(object, "jobset", &spec->jobset) &&
	       read_count(object, "nodes", &spec->nodes) &&
	       read_count(object, "tasks", &spec->tasks) &&
	       read_count(object, "ntasks-per-node", &spec->tasks_per_node) &&
	       (!spec->name || ref_check_name(spec->name, NULL) == 0) &&
	       (!spec->array ||
		(indices_are_valid(spec->array) && job_ranks_fit(spec->array, spec_ranks(spec))));
}

int job_read_spec(struct job *job, struct span json, struct err *err)
{
	cleanup(json_release) json_t *object = NULL;
	cleanup_free const char **command = NULL;
	cleanup_free char *line = NULL;
	struct spec spec = { 0 };

	if (json_parse(json, SPEC_JSON_MAX, &object, err) < 0)
		return err_wrap(err, "spec.json");
	command = read_command(object);
	if (!command || !read_spec(object, &spec))
		return err_set(err, ERR_INVALID, "spec.json is not as berth writes it");
	spec.command = command;
	line = spec_command_line(&spec);
	job_set(job, name, spec.name ? spec.name : "");
	job_set(job, command, line);
	job_set(job, queue, spec.partition ? spec.partition : "");
	job_set(job, jobset, spec.jobset ? spec.jobset : "");
	job_set(job, array, spec.array ? spec.array : "");
	job->nodes = MAX(spec.nodes, UINT64_C(1));
	job->tasks = spec_ranks(&spec);
	return 0;
}

uint64_t job_spec_time(struct span json)
{
	cleanup(json_release) json_t *object = NULL;
	uint64_t seconds = 0;

	if (json_parse(json, SPEC_JSON_MAX, &object, NULL) < 0 ||
	    !read_count(object, "time", &seconds))
		return 0;
	return seconds * NSEC_PER_SEC;
}
