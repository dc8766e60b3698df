/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Jobs as text: a table for people, JSON and names for programs. The time is given, so that what
 * comes out depends on nothing else. Names and reasons come from users and schedulers: control
 * characters are shown as '?'.
 */

#include <stdio.h>

#include "controller/model/job.h"
#include "init/base/err.h"

#define OUTPUT_FORMATS(X) \
	X(TABLE, "table") \
	X(WIDE, "wide")   \
	X(JSON, "json")   \
	X(NAME, "name")

enum output_format {
#define X(name, word) OUTPUT_##name,
	OUTPUT_FORMATS(X)
#undef X
};

/* NULL is the table. */
int output_parse_format(const char *word, enum output_format *ret, struct err *err) attr_must_use;

/* ERR_SYSTEM and others when the text could not be written: a full disk, a closed pipe. */
int output_jobs(const struct job_list *jobs, enum output_format format, uint64_t now_ns, FILE *out,
		struct err *err) attr_must_use;
