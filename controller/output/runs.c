/* SPDX-License-Identifier: MIT */
/* Runs as text; see runs.h. */
#include "runs.h"

#include <inttypes.h>
#include <string.h>

#include "controller/model/json.h"
#include "controller/output/table.h"
#include "controller/output/value.h"
#include "init/base/text.h"

static const struct column columns[] = {
	{ "RUN" },
	{ "ATTEMPT" },
	{ "STATE", .is_state = true },
	{ "EXIT" },
	{ "TIME" },
	{ "CPU" },
	{ "MEMORY" },
	{ "NODES", .may_be_cut = true },
	{ "NATIVE-STATE", .wide_only = true },
	{ "REASON", .may_be_cut = true },
};

void output_format_size(uint64_t bytes, char *out, size_t size)
{
	static const char units[] = "KMGTP";
	double value = (double)bytes / 1024;
	size_t unit = 0;

	out[0] = '\0';
	if (bytes == 0)
		return;
	for (; value >= 1024 && unit < sizeof(units) - 2; unit++)
		value /= 1024;
	snprintf(out, size, "%.*f%c", value < 10 ? 1 : 0, value, units[unit]);
}

/* "job-7_3" of an array, else "job-7"; of the rank that is meant "job-7.3" or "job-7_3.1". */
static void format_name(const struct job *job, const struct run *run, char out[JOB_LABEL_SIZE])
{
	if (job->of_rank)
		job_label(job, out);
	else if (job_is_array(job))
		snprintf(out, JOB_LABEL_SIZE, "job-%" PRIu64 "_%" PRIu64, job->id, run->task);
	else
		snprintf(out, JOB_LABEL_SIZE, "job-%" PRIu64, job->id);
}

static void add_exit(struct table *table, const struct run *run)
{
	const char *signal = run->signal > 0 ? sigabbrev_np(run->signal) : NULL;

	if (run->signal > 0)
		table_add(table, "SIG%s", signal ? signal : "?");
	else if (run->exit_code != JOB_NO_EXIT_CODE)
		table_add(table, "%d", run->exit_code);
	else
		table_add_text(table, "");
}

static void add_run(struct table *table, const struct job *job, const struct run *run,
		    uint64_t now_ns)
{
	uint64_t until_ns = job_state_is_ended(run->state) ? run->ended_ns : now_ns;
	char name[JOB_LABEL_SIZE], text[32] = "";

	format_name(job, run, name);
	table_add_text(table, name);
	if (run->attempt)
		table_add(table, "%" PRIu64, run->attempt);
	else
		table_add_text(table, "");
	table_add_text(table, job_state_word(run->state));
	add_exit(table, run);
	if (run->started_ns && until_ns >= run->started_ns)
		text_format_duration(until_ns - run->started_ns, text, sizeof(text));
	table_add_text(table, text);
	text[0] = '\0';
	if (run->cpu_ns)
		text_format_duration(run->cpu_ns, text, sizeof(text));
	table_add_text(table, text);
	output_format_size(run->max_rss, text, sizeof(text));
	table_add_text(table, text);
	table_add_text(table, run->node_list);
	table_add_text(table, run->native_state);
	table_add_text(table, run->reason);
}

static json_t *number_or_null(uint64_t number, bool known)
{
	return known ? json_integer((json_int_t)number) : json_null();
}

static json_t *run_value(const struct job *job, const struct run *run)
{
	json_t *object = json_object();
	char name[JOB_LABEL_SIZE];

	format_name(job, run, name);
	json_object_set_new(object, "id", json_string(name));
	json_object_set_new(object, "task", number_or_null(run->task, job_is_array(job)));
	json_object_set_new(object, "attempt", json_integer((json_int_t)run->attempt));
	json_object_set_new(object, "state", json_string(job_state_word(run->state)));
	json_object_set_new(object, "native_state", value_optional(run->native_state));
	json_object_set_new(object, "reason", value_optional(run->reason));
	json_object_set_new(
		object, "exit_code",
		number_or_null((uint64_t)run->exit_code, run->exit_code != JOB_NO_EXIT_CODE));
	json_object_set_new(object, "signal",
			    number_or_null((uint64_t)run->signal, run->signal > 0));
	json_object_set_new(object, "started", value_time(run->started_ns));
	json_object_set_new(object, "ended", value_time(run->ended_ns));
	json_object_set_new(object, "max_rss", number_or_null(run->max_rss, run->max_rss > 0));
	json_object_set_new(object, "cpu_ms",
			    number_or_null(run->cpu_ns / NSEC_PER_MSEC, run->cpu_ns > 0));
	json_object_set_new(object, "node_list", value_optional(run->node_list));
	return object;
}

static void print_values(const struct runs_of_job *jobs, size_t len, const struct output *output)
{
	cleanup(json_release) json_t *array = json_array();

	for (size_t i = 0; i < len; i++) {
		for (size_t n = 0; n < jobs[i].runs->len; n++)
			json_array_append_new(array,
					      run_value(jobs[i].job, &jobs[i].runs->items[n]));
	}
	value_print(array, output);
}

static void print_names(const struct runs_of_job *jobs, size_t len, FILE *out)
{
	char name[JOB_LABEL_SIZE];

	for (size_t i = 0; i < len; i++) {
		for (size_t n = 0; n < jobs[i].runs->len; n++) {
			format_name(jobs[i].job, &jobs[i].runs->items[n], name);
			fprintf(out, "%s\n", name);
		}
	}
}

static void print_table(const struct runs_of_job *jobs, size_t len, const struct output *output)
{
	cleanup(table_finish) struct table table = { 0 };

	table_init(&table, columns, ARRAY_LEN(columns), output);
	for (size_t i = 0; i < len; i++) {
		for (size_t n = 0; n < jobs[i].runs->len; n++)
			add_run(&table, jobs[i].job, &jobs[i].runs->items[n], output->now_ns);
	}
	table_print(&table, output);
}

int output_runs(const struct runs_of_job *jobs, size_t len, const struct output *output,
		struct err *err)
{
	switch (output->format) {
	case OUTPUT_TABLE:
	case OUTPUT_WIDE:
		print_table(jobs, len, output);
		break;
	case OUTPUT_JSON:
	case OUTPUT_YAML:
	case OUTPUT_CSV:
		print_values(jobs, len, output);
		break;
	case OUTPUT_NAME:
		print_names(jobs, len, output->out);
		break;
	}
	return output_end(output, err);
}
