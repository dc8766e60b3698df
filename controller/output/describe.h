/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * One job for people: its members with a word or two about each, and at the end what to do next.
 * What is not known is left out.
 */

#include "controller/model/job.h"
#include "controller/output/output.h"

void output_describe_job(const struct job *job, const struct output *output);

/* What of that others show too: state, reason, exit status, signal, attempts. */
void output_job_end(const struct job *job, const struct output *output);

/* "Title:   text" made harmless for a terminal, or nothing when the text is empty. */
void output_line(const struct output *output, const char *title, const char *fmt, ...)
	attr_printf(3, 4);
