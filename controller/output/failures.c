/* SPDX-License-Identifier: MIT */
/* Failures as text; see failures.h. */
#include "failures.h"

#include <string.h>

#include "controller/model/json.h"
#include "controller/output/describe.h"
#include "controller/output/table.h"
#include "controller/output/value.h"

static void print_log(const char *log, const struct output *output)
{
	cleanup_free char *text = str_dup(log);
	char *rest = text, *line;

	if (!*rest)
		return;
	fprintf(output->out, "Standard error, its last lines:\n");
	while ((line = strsep(&rest, "\n"))) {
		/* The end of the last line is no line. */
		if (!rest && !*line)
			break;
		line[strcspn(line, "\r")] = '\0';
		table_make_safe(line);
		fprintf(output->out, "  %s\n", line);
	}
}

static void print_one(const struct failure *failure, const struct output *output)
{
	const struct job *job = &failure->job;
	char label[JOB_LABEL_SIZE];

	job_label(job, label);
	output_line(output, "Job:", "%s%s%s", label, job->name[0] ? " " : "", job->name);
	output_line(output, "Why:", "%s", failure->explanation);
	output_job_end(job, output);
	output_line(output, "Nodes:", "%s", job->node_list);
	if (output->format == OUTPUT_WIDE) {
		output_line(output, "Native id:", "%s", job->native_id);
		output_line(output, "Queue:", "%s", job->queue);
		output_line(output, "Command:", "%s", job->command);
	}
	print_log(failure->log, output);
}

static json_t *failure_value(const struct failure *failure)
{
	const struct job *job = &failure->job;
	json_t *object = json_object();
	char label[JOB_LABEL_SIZE];

	job_label(job, label);
	json_object_set_new(object, "id", json_string(label));
	json_object_set_new(object, "name", value_optional(job->name));
	json_object_set_new(object, "cluster", value_text(job->cluster));
	json_object_set_new(object, "native_id", value_optional(job->native_id));
	json_object_set_new(object, "state", json_string(job_state_word(job->state)));
	json_object_set_new(object, "native_state", value_optional(job->native_state));
	json_object_set_new(object, "reason", value_optional(job->reason));
	json_object_set_new(object, "explanation", value_text(failure->explanation));
	json_object_set_new(object, "exit_code",
			    job->exit_code != JOB_NO_EXIT_CODE ? json_integer(job->exit_code)
							       : json_null());
	json_object_set_new(object, "signal",
			    job->signal > 0 ? json_integer(job->signal) : json_null());
	json_object_set_new(object, "attempts", json_integer((json_int_t)job->attempts));
	json_object_set_new(object, "started", value_time(job->started_ns));
	json_object_set_new(object, "ended", value_time(job->ended_ns));
	json_object_set_new(object, "node_list", value_optional(job->node_list));
	json_object_set_new(object, "stderr", value_optional(failure->log));
	return object;
}

int output_failures(const struct failure_list *failures, const struct output *output,
		    struct err *err)
{
	cleanup(json_release) json_t *array = json_array();
	bool is_text = output->format == OUTPUT_TABLE || output->format == OUTPUT_WIDE;

	for (size_t i = 0; i < failures->len; i++) {
		char label[JOB_LABEL_SIZE];

		job_label(&failures->items[i].job, label);
		if (is_text && i > 0)
			fputc('\n', output->out);
		if (is_text)
			print_one(&failures->items[i], output);
		else if (output->format == OUTPUT_NAME)
			fprintf(output->out, "%s\n", label);
		else
			json_array_append_new(array, failure_value(&failures->items[i]));
	}
	if (!is_text && output->format != OUTPUT_NAME)
		value_print(array, output);
	return output_end(output, err);
}
