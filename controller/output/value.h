/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Values for programs. What is listed is an array of JSON objects whose members are numbers, text,
 * truth, null, or arrays and objects of these; it is printed as JSON, as YAML, or, line by line, as
 * CSV.
 */

#include <jansson.h>

#include "controller/output/output.h"

/* RFC 3339, in UTC with milliseconds; null for 0. */
json_t *value_time(uint64_t ns);

/* Text that may not be UTF-8 (a command line) is repaired as base/text.h does. */
json_t *value_text(const char *s);
json_t *value_optional(const char *s); /* null for "" */

/*
 * Prints the array as the output's format says, which is json, yaml or csv. Columns of CSV (RFC
 * 4180, lines end with LF) are the members of the first object; null is empty, and what is an array
 * or an object itself is JSON in one field. JSON and YAML
 * escape what a terminal would act on, CSV cannot, and has '?' there. YAML's text is always quoted,
 * so that no reader takes "no" or "1e3" for something else.
 */
void value_print(const json_t *array, const struct output *output);
