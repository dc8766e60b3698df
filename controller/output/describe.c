/* SPDX-License-Identifier: MIT */
/* One job for people; see describe.h. */
#include "describe.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include "controller/output/table.h"
#include "controller/output/value.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

#define LINE_MAX_LEN 4096

void output_line(const struct output *output, const char *title, const char *fmt, ...)
{
	char text[LINE_MAX_LEN];
	va_list args;

	va_start(args, fmt);
	if (vsnprintf(text, sizeof(text), fmt, args) < 0)
		text[0] = '\0';
	va_end(args);
	table_make_safe(text);
	if (text[0] != '\0')
		fprintf(output->out, "%-13s %s\n", title, text);
}

void output_format_moment(uint64_t ns, uint64_t now_ns, char out[OUTPUT_MOMENT_SIZE])
{
	time_t seconds = (time_t)(ns / NSEC_PER_SEC);
	char moment[64], distance[32] = "0s";
	bool is_ahead = ns > now_ns;
	struct tm tm;

	out[0] = '\0';
	if (ns == 0 || !localtime_r(&seconds, &tm) ||
	    strftime(moment, sizeof(moment), "%Y-%m-%d %H:%M:%S %z", &tm) == 0)
		return;
	text_format_duration(is_ahead ? ns - now_ns : now_ns - ns, distance, sizeof(distance));
	snprintf(out, OUTPUT_MOMENT_SIZE, "%s (%s%s%s)", moment, is_ahead ? "in " : "", distance,
		 is_ahead ? "" : " ago");
}

void output_line_time(const struct output *output, const char *title, uint64_t ns)
{
	char text[OUTPUT_MOMENT_SIZE];

	output_format_moment(ns, output->now_ns, text);
	output_line(output, title, "%s", text);
}

void output_job_end(const struct job *job, const struct output *output)
{
	bool known = job->native_state[0] != '\0' &&
		     strcmp(job->native_state, job_state_word(job->state)) != 0;

	output_line(output, "State:", "%s%s%s%s", job_state_word(job->state), known ? " (" : "",
		    known ? job->native_state : "", known ? ")" : "");
	output_line(output, "Reason:", "%s", job->reason);
	if (job->exit_code != JOB_NO_EXIT_CODE)
		output_line(output, "Exit status:", "%d", job->exit_code);
	if (job->signal > 0)
		output_line(output, "Signal:", "%d (%s)", job->signal, strsignal(job->signal));
	if (job->attempts > 1)
		output_line(output, "Attempts:", "%" PRIu64, job->attempts);
}

static void line_run_time(const struct job *job, const struct output *output)
{
	uint64_t end_ns = job->ended_ns ? job->ended_ns : output->now_ns;
	char text[32];

	if (job->started_ns == 0 || end_ns < job->started_ns)
		return;
	text_format_duration(end_ns - job->started_ns, text, sizeof(text));
	output_line(output, "Time:", "%s", text);
}

/* What somebody who looks at a job in this state wants to type. */
static void line_next(const struct job *job, const struct output *output)
{
	char label[JOB_LABEL_SIZE];

	job_label(job, label);
	if (job->state == JOB_RUNNING)
		output_line(output, "Enter it:", "ssh %s", label);
	if (job->started_ns && !job->collected)
		output_line(output, "Its output:", "berth logs %s", label);
	if (job->state == JOB_FAILED && !job->collected)
		output_line(output, "Its errors:", "berth logs --stderr %s", label);
	if (job_is_array(job) && job->only[0] == '\0')
		output_line(output, "Its tasks:", "berth get job-runs %s", label);
}

static void line_ranks(const struct job *job, const struct output *output)
{
	uint64_t ranks = job_count_ranks(job);

	if (job_is_array(job) && job->tasks > 1 && !job->of_rank)
		output_line(output, "Ranks:", "%" PRIu64 ", %" PRIu64 " in each task", ranks,
			    job->tasks);
	else
		output_line(output, "Ranks:", "%" PRIu64, ranks);
}

void output_describe_job(const struct job *job, const struct output *output)
{
	char label[JOB_LABEL_SIZE];

	job_label(job, label);
	output_line(output, "Job:", "%s", label);
	output_line(output, "Name:", "%s", job->name);
	output_job_end(job, output);
	output_line(output, "Backend:", "%s", job->backend);
	output_line(output, "Native id:", "%s", job->native_id);
	output_line(output, "Origin:", "%s", job->origin);
	output_line(output, "Queue:", "%s", job->queue);
	output_line(output, "Jobset:", "%s", job->jobset);
	output_line(output, "User:", "%s", job->user);
	output_line(output, "Nodes:", "%" PRIu64 "%s%s", job->nodes, job->node_list[0] ? ", " : "",
		    job->node_list);
	line_ranks(job, output);
	output_line(output, "Array:", "%s", job->array);
	output_line_time(output, "Submitted:", job->created_ns);
	output_line_time(output, "Started:", job->started_ns);
	output_line_time(output, "Ended:", job->ended_ns);
	line_run_time(job, output);
	output_line(output, "Command:", "%s", job->command);
	output_line(output, "Directory:", "%s%s", job->directory,
		    job->collected ? " (collected)" : "");
	line_next(job, output);
}

/* Line by line: what a terminal would act on is none of a script's business. */
static void print_text(const char *text, const struct output *output)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		cleanup_free char *line = str_dup_len(text, len);

		table_make_safe(line);
		fprintf(output->out, "%s\n", line);
		text += len + (text[len] == '\n');
	}
}

void output_describe_script(const struct batch_script *script, const struct output *output)
{
	output_line(output, "Input:", "%s", script->input);
	output_line(output, "Output:", "%s", script->output);
	output_line(output, "Errors:", "%s", script->error);
	fputc('\n', output->out);
	print_text(script->text, output);
}

json_t *output_script_value(const struct batch_script *script)
{
	json_t *object = json_object();

	json_object_set_new(object, "text", value_optional(script->text));
	json_object_set_new(object, "input", value_optional(script->input));
	json_object_set_new(object, "output", value_optional(script->output));
	json_object_set_new(object, "error", value_optional(script->error));
	return object;
}
