/* SPDX-License-Identifier: MIT */
/* Jobs as text; see jobs.h. */
#include "jobs.h"

#include <inttypes.h>
#include <string.h>

#include "controller/model/json.h"
#include "controller/output/table.h"
#include "controller/output/value.h"
#include "init/base/text.h"

#define COMMAND_MAX 60

static const struct column columns[] = {
	{ "JOB" },
	{ "NAME", .may_be_cut = true },
	{ "CLUSTER" },
	{ "BACKEND", .wide_only = true },
	{ "QUEUE", .wide_only = true },
	{ "JOBSET", .wide_only = true },
	{ "STATE", .is_state = true },
	{ "EXIT" },
	{ "TIME" },
	{ "AGE" },
	{ "USER", .wide_only = true },
	{ "RANKS", .wide_only = true },
	{ "ATTEMPTS", .wide_only = true },
	{ "NODES", .wide_only = true },
	{ "NATIVE-ID", .wide_only = true },
	{ "NATIVE-STATE", .wide_only = true },
	{ "REASON", .wide_only = true },
	{ "COMMAND", .may_be_cut = true },
};

static void add_exit(struct table *table, const struct job *job)
{
	const char *signal = job->signal > 0 ? sigabbrev_np(job->signal) : NULL;

	if (job->signal > 0)
		table_add(table, "SIG%s", signal ? signal : "?");
	else if (job->exit_code != JOB_NO_EXIT_CODE)
		table_add(table, "%d", job->exit_code);
	else
		table_add_text(table, "");
}

/* How long it was from one moment to another; nothing when either is not known. */
static void add_duration(struct table *table, uint64_t from_ns, uint64_t to_ns)
{
	char text[32] = "";

	if (from_ns && to_ns >= from_ns)
		text_format_duration(to_ns - from_ns, text, sizeof(text));
	table_add_text(table, text);
}

static void add_number(struct table *table, uint64_t number)
{
	if (number)
		table_add(table, "%" PRIu64, number);
	else
		table_add_text(table, "");
}

static void add_job(struct table *table, const struct job *job, uint64_t now_ns)
{
	char label[JOB_LABEL_SIZE];

	job_label(job, label);
	table_add_text(table, label);
	table_add_text(table, job->name);
	table_add_text(table, job->cluster);
	table_add_text(table, job->backend);
	table_add_text(table, job->queue);
	table_add_text(table, job->jobset);
	table_add_text(table, job_state_word(job->state));
	add_exit(table, job);
	add_duration(table, job->started_ns, job->ended_ns ? job->ended_ns : now_ns);
	add_duration(table, job->created_ns, now_ns);
	table_add_text(table, job->user);
	table_add(table, "%" PRIu64, job_count_ranks(job));
	add_number(table, job->attempts);
	table_add_text(table, job->node_list);
	table_add_text(table, job->native_id);
	table_add_text(table, job->native_state);
	table_add_text(table, job->reason);
	table_add_start(table, job->command, COMMAND_MAX);
}

static void print_table(const struct job_list *jobs, const struct output *output)
{
	cleanup(table_finish) struct table table = { 0 };

	table_init(&table, columns, ARRAY_LEN(columns), output);
	for (size_t i = 0; i < jobs->len; i++)
		add_job(&table, &jobs->items[i], output->now_ns);
	table_print(&table, output);
}

static json_t *number_or_null(int number, bool known)
{
	return known ? json_integer(number) : json_null();
}

json_t *output_job_value(const struct job *job)
{
	json_t *object = json_object();
	char label[JOB_LABEL_SIZE];

	job_label(job, label);
	json_object_set_new(object, "id", json_string(label));
	json_object_set_new(object, "uid", value_text(job->uid));
	json_object_set_new(object, "name", value_optional(job->name));
	json_object_set_new(object, "cluster", value_text(job->cluster));
	json_object_set_new(object, "backend", value_text(job->backend));
	json_object_set_new(object, "queue", value_optional(job->queue));
	json_object_set_new(object, "jobset", value_optional(job->jobset));
	json_object_set_new(object, "user", value_optional(job->user));
	json_object_set_new(object, "native_id", value_optional(job->native_id));
	json_object_set_new(object, "state", json_string(job_state_word(job->state)));
	json_object_set_new(object, "native_state", value_optional(job->native_state));
	json_object_set_new(object, "reason", value_optional(job->reason));
	json_object_set_new(object, "exit_code",
			    number_or_null(job->exit_code, job->exit_code != JOB_NO_EXIT_CODE));
	json_object_set_new(object, "signal", number_or_null(job->signal, job->signal > 0));
	json_object_set_new(object, "attempts", json_integer((json_int_t)job->attempts));
	json_object_set_new(object, "created", value_time(job->created_ns));
	json_object_set_new(object, "started", value_time(job->started_ns));
	json_object_set_new(object, "ended", value_time(job->ended_ns));
	json_object_set_new(object, "nodes", json_integer((json_int_t)job->nodes));
	json_object_set_new(object, "node_list", value_optional(job->node_list));
	json_object_set_new(object, "ranks", json_integer((json_int_t)job_count_ranks(job)));
	json_object_set_new(object, "array", value_optional(job->array));
	json_object_set_new(object, "directory", value_text(job->directory));
	json_object_set_new(object, "command", value_text(job->command));
	return object;
}

static void print_values(const struct job_list *jobs, const struct output *output)
{
	cleanup(json_release) json_t *array = json_array();

	for (size_t i = 0; i < jobs->len; i++)
		json_array_append_new(array, output_job_value(&jobs->items[i]));
	value_print(array, output);
}

static void print_names(const struct job_list *jobs, FILE *out)
{
	char label[JOB_LABEL_SIZE];

	for (size_t i = 0; i < jobs->len; i++) {
		job_label(&jobs->items[i], label);
		fprintf(out, "%s\n", label);
	}
}

int output_jobs(const struct job_list *jobs, const struct output *output, struct err *err)
{
	switch (output->format) {
	case OUTPUT_TABLE:
	case OUTPUT_WIDE:
		print_table(jobs, output);
		break;
	case OUTPUT_JSON:
	case OUTPUT_YAML:
	case OUTPUT_CSV:
		print_values(jobs, output);
		break;
	case OUTPUT_NAME:
		print_names(jobs, output->out);
		break;
	}
	return output_end(output, err);
}
