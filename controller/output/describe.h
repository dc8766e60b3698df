/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * One job for people: its members with a word or two about each, and at the end what to do next.
 * What is not known is left out.
 */

#include <jansson.h>

#include "controller/model/batch_script.h"
#include "controller/model/job.h"
#include "controller/output/output.h"

void output_describe_job(const struct job *job, const struct output *output);

/* What the scheduler keeps of it: its files, and its script behind an empty line; or as json. */
void output_describe_script(const struct batch_script *script, const struct output *output);
json_t *output_script_value(const struct batch_script *script);

/*
 * "2026-11-21 19:47:11 +0000 (5m10s ago)", or "(in 5m10s)", in local time; "" for 0, and for what
 * is no moment.
 */
#define OUTPUT_MOMENT_SIZE 112
void output_format_moment(uint64_t ns, uint64_t now_ns, char out[OUTPUT_MOMENT_SIZE]);

/* What of that others show too: state, reason, exit status, signal, attempts. */
void output_job_end(const struct job *job, const struct output *output);

/* A line with a moment, or nothing. */
void output_line_time(const struct output *output, const char *title, uint64_t ns);

/* "Title:   text" made harmless for a terminal, or nothing when the text is empty. */
void output_line(const struct output *output, const char *title, const char *fmt, ...)
	attr_printf(3, 4);
