/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * How something is shown: in which format, how wide, where. Tables are for people; json, yaml, csv
 * and name are for programs and the same on every machine: their fields are documented in berth(1),
 * none is ever taken away.
 */

#include <stdio.h>

#include "init/base/err.h"

#define OUTPUT_FORMATS(X) \
	X(TABLE, "table") \
	X(WIDE, "wide")   \
	X(JSON, "json")   \
	X(YAML, "yaml")   \
	X(CSV, "csv")     \
	X(NAME, "name")

enum output_format {
#define X(name, word) OUTPUT_##name,
	OUTPUT_FORMATS(X)
#undef X
};

struct output {
	enum output_format format;
	bool no_headers;    /* of table, wide and csv */
	bool colour;	    /* the state, in table and wide */
	unsigned int width; /* columns of the terminal that a table has to fit; 0: any */
	const char *list;   /* what is listed, as in schema_members.h; or NULL */
	uint64_t now_ns;    /* what ages are counted from */
	FILE *out;
};

/* NULL is the table. */
int output_parse_format(const char *word, enum output_format *ret, struct err *err) attr_must_use;

/* Flushes; ERR_SYSTEM and others when it could not be written: a full disk, a closed pipe. */
int output_end(const struct output *output, struct err *err) attr_must_use;
