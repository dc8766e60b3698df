/* SPDX-License-Identifier: MIT */
/* Reports as text; see reports.h. */
#include "reports.h"

#include <inttypes.h>
#include <string.h>

#include "controller/model/json.h"
#include "controller/output/describe.h"
#include "controller/output/table.h"
#include "controller/output/value.h"
#include "init/base/text.h"

#define TITLE_WIDTH 32
#define FACTORS_TEXT_MAX 512

static const struct column queue_columns[] = {
	{ "QUEUE" },	    { "STATE" },	{ "WAITING" },	   { "BLOCKED" },    { "RUNNING" },
	{ "CPUS-WAITING" }, { "CPUS-RUNNING" }, { "OLDEST-WAIT" }, { "NEXT-START" },
};

static bool is_text(const struct output *output)
{
	return output->format == OUTPUT_TABLE || output->format == OUTPUT_WIDE;
}

/* "87us", "1.6ms", "2.5s". */
static void format_microseconds(uint64_t value, char *out, size_t size)
{
	if (value < 1000)
		snprintf(out, size, "%" PRIu64 "us", value);
	else if (value < 1000000)
		snprintf(out, size, "%.1fms", (double)value / 1e3);
	else
		snprintf(out, size, "%.1fs", (double)value / 1e6);
}

static void print_fact(enum report_fact fact, uint64_t value, const struct output *output)
{
	char text[OUTPUT_MOMENT_SIZE];

	switch (report_facts[fact].unit) {
	case REPORT_COUNT:
		snprintf(text, sizeof(text), "%" PRIu64, value);
		break;
	case REPORT_MICROSECONDS:
		format_microseconds(value, text, sizeof(text));
		break;
	case REPORT_TIME:
		output_format_moment(value * NSEC_PER_SEC, output->now_ns, text);
		break;
	}
	fprintf(output->out, "  %-*s %s\n", TITLE_WIDTH, report_facts[fact].title, text);
}

static void print_report(const struct scheduler_report *report, const struct output *output)
{
	for (int group = 0; group < REPORT_GROUPS; group++) {
		bool has_title = false;

		for (int fact = 0; fact < REPORT_FACTS_LEN; fact++) {
			if ((int)report_facts[fact].group != group || !report->facts[fact].is_known)
				continue;
			if (!has_title)
				fprintf(output->out, "%s:\n", report_groups[group]);
			has_title = true;
			print_fact((enum report_fact)fact, report->facts[fact].value, output);
		}
	}
}

int output_scheduler_report(const struct scheduler_report *report, const struct output *output,
			    struct err *err)
{
	cleanup(json_release) json_t *array = json_array();
	json_t *object = json_object();

	json_array_append_new(array, object);
	if (output->format == OUTPUT_NAME)
		return err_set(err, ERR_INVALID, "--output: a scheduler's report has no names");
	if (is_text(output)) {
		print_report(report, output);
		return output_end(output, err);
	}
	for (int fact = 0; fact < REPORT_FACTS_LEN; fact++) {
		uint64_t value = report->facts[fact].value;
		json_t *known = report_facts[fact].unit == REPORT_TIME
					? value_time(value * NSEC_PER_SEC)
					: json_integer((json_int_t)value);

		json_object_set(object, report_facts[fact].key,
				report->facts[fact].is_known ? known : json_null());
		json_decref(known);
	}
	value_print(array, output);
	return output_end(output, err);
}

/* "5m10s", or with "in " before it; nothing when the moment is not known. */
static void add_distance(struct table *table, uint64_t ns, uint64_t now_ns)
{
	char text[32] = "";

	if (ns)
		text_format_duration(ns > now_ns ? ns - now_ns : now_ns - ns, text, sizeof(text));
	table_add(table, "%s%s", ns > now_ns ? "in " : "", text);
}

static void print_queues(const struct queue_report_list *queues, const struct output *output)
{
	cleanup(table_finish) struct table table = { 0 };

	table_init(&table, queue_columns, ARRAY_LEN(queue_columns), output);
	for (size_t i = 0; i < queues->len; i++) {
		const struct queue_report *queue = &queues->items[i];

		table_add(&table, "%s", queue->name);
		table_add(&table, "%s", queue->state);
		table_add(&table, "%" PRIu64, queue->waiting);
		table_add(&table, "%" PRIu64, queue->blocked);
		table_add(&table, "%" PRIu64, queue->running);
		table_add(&table, "%" PRIu64, queue->cpus_waiting);
		table_add(&table, "%" PRIu64, queue->cpus_running);
		add_distance(&table, queue->oldest_ns, output->now_ns);
		add_distance(&table, queue->next_ns, output->now_ns);
	}
	table_print(&table, output);
}

static json_t *integer(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *queue_value(const struct queue_report *queue)
{
	json_t *object = json_object();

	json_object_set_new(object, "queue", value_text(queue->name));
	json_object_set_new(object, "state", value_text(queue->state));
	json_object_set_new(object, "waiting", integer(queue->waiting));
	json_object_set_new(object, "blocked", integer(queue->blocked));
	json_object_set_new(object, "running", integer(queue->running));
	json_object_set_new(object, "cpus_waiting", integer(queue->cpus_waiting));
	json_object_set_new(object, "cpus_running", integer(queue->cpus_running));
	json_object_set_new(object, "oldest", value_time(queue->oldest_ns));
	json_object_set_new(object, "next_start", value_time(queue->next_ns));
	return object;
}

int output_queue_reports(const struct queue_report_list *queues, const struct output *output,
			 struct err *err)
{
	cleanup(json_release) json_t *array = json_array();

	if (is_text(output)) {
		print_queues(queues, output);
		return output_end(output, err);
	}
	for (size_t i = 0; i < queues->len; i++) {
		if (output->format == OUTPUT_NAME)
			fprintf(output->out, "%s\n", queues->items[i].name);
		else
			json_array_append_new(array, queue_value(&queues->items[i]));
	}
	if (output->format != OUTPUT_NAME)
		value_print(array, output);
	return output_end(output, err);
}

/* "411: age 10, job_size 401". */
static void format_priority(const struct job_report *report, char out[FACTORS_TEXT_MAX])
{
	size_t len = (size_t)snprintf(out, FACTORS_TEXT_MAX, "%" PRIu64, report->entry->priority);

	for (size_t i = 0; i < report->priority.len && len < FACTORS_TEXT_MAX; i++)
		len += (size_t)snprintf(out + len, FACTORS_TEXT_MAX - len, "%s%s %" PRId64,
					i > 0 ? ", " : ": ", report->priority.factors[i].name,
					report->priority.factors[i].value);
}

static void print_waiting(const struct job_report *report, const struct output *output)
{
	const struct queued *entry = report->entry;
	char priority[FACTORS_TEXT_MAX];

	format_priority(report, priority);
	if (report->explanation && entry->reason[0])
		output_line(output, "Why it waits:", "%s (%s)", report->explanation, entry->reason);
	else
		output_line(output, "Why it waits:", "%s",
			    report->explanation ? report->explanation : entry->reason);
	if (report->position > 0)
		output_line(output, "In line:", "%" PRIu64 " of %" PRIu64, report->position,
			    report->of);
	output_line(output, "Priority:", "%s", priority);
	output_line(output, "Waits for:", "%s", entry->dependency);
	output_line_time(output, "Submitted:", entry->submitted_ns);
	output_line_time(output, "May start:", entry->eligible_ns);
	if (entry->start_ns)
		output_line_time(output, "Will start:", entry->start_ns);
	else
		output_line(output, "Will start:", "the scheduler has not planned it yet");
	output_line(output, "Planned on:", "%s", entry->nodes);
}

static void print_job(const struct job_report *report, const struct output *output)
{
	const struct job *job = report->job;
	char label[JOB_LABEL_SIZE];

	job_label(job, label);
	output_line(output, "Job:", "%s%s%s", label, job->name[0] ? " " : "", job->name);
	output_job_end(job, output);
	if (report->entry) {
		output_line(output, "Queue:", "%s", report->entry->queues);
		output_line(output, "CPUs:", "%" PRIu64, report->entry->cpus);
	}
	if (report->entry && report->entry->state == JOB_QUEUED)
		print_waiting(report, output);
	else
		output_line_time(output, "Started:", job->started_ns);
	output_line_time(output, "Ended:", job->ended_ns);
}

static json_t *job_value(const struct job_report *report)
{
	char nothing[] = "";
	const struct queued none = {
		.reason = nothing, .queues = nothing, .dependency = nothing, .nodes = nothing
	};
	const struct queued *entry = report->entry ? report->entry : &none;
	const struct job *job = report->job;
	bool waits = report->entry && entry->state == JOB_QUEUED;
	json_t *object = json_object(), *factors = json_object();
	char label[JOB_LABEL_SIZE];

	job_label(job, label);
	for (size_t i = 0; i < report->priority.len; i++)
		json_object_set_new(factors, report->priority.factors[i].name,
				    json_integer(report->priority.factors[i].value));
	json_object_set_new(object, "id", json_string(label));
	json_object_set_new(object, "name", value_optional(job->name));
	json_object_set_new(object, "cluster", value_text(job->cluster));
	json_object_set_new(object, "native_id", value_optional(job->native_id));
	json_object_set_new(object, "state", json_string(job_state_word(job->state)));
	json_object_set_new(object, "queue", value_optional(entry->queues));
	json_object_set_new(object, "reason", value_optional(waits ? entry->reason : job->reason));
	json_object_set_new(object, "explanation",
			    report->explanation ? json_string(report->explanation) : json_null());
	json_object_set_new(object, "position",
			    report->position ? integer(report->position) : json_null());
	json_object_set_new(object, "waiting", waits ? integer(report->of) : json_null());
	json_object_set_new(object, "priority",
			    report->entry ? integer(entry->priority) : json_null());
	json_object_set_new(object, "factors", factors);
	json_object_set_new(object, "dependency", value_optional(entry->dependency));
	json_object_set_new(object, "submitted", value_time(entry->submitted_ns));
	json_object_set_new(object, "eligible", value_time(entry->eligible_ns));
	json_object_set_new(object, "expected_start", value_time(waits ? entry->start_ns : 0));
	json_object_set_new(object, "expected_nodes", value_optional(waits ? entry->nodes : ""));
	return object;
}

int output_job_reports(const struct job_report *reports, size_t len, const struct output *output,
		       struct err *err)
{
	cleanup(json_release) json_t *array = json_array();
	char label[JOB_LABEL_SIZE];

	for (size_t i = 0; i < len; i++) {
		job_label(reports[i].job, label);
		if (is_text(output) && i > 0)
			fputc('\n', output->out);
		if (is_text(output))
			print_job(&reports[i], output);
		else if (output->format == OUTPUT_NAME)
			fprintf(output->out, "%s\n", label);
		else
			json_array_append_new(array, job_value(&reports[i]));
	}
	if (!is_text(output) && output->format != OUTPUT_NAME)
		value_print(array, output);
	return output_end(output, err);
}
