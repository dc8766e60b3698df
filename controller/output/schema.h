/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What programs get, as JSON schemas (draft 2020-12): of each list that -o json prints, and of a
 * job file. Members may be added to an object, so that more than the schema has is no error;
 * none that it requires is ever taken away.
 */

#include "controller/output/output.h"

/* Prints the schema of this; NULL: one of all, by name in "$defs". ERR_INVALID names what there is. */
int output_schema(const char *name, const struct output *output, struct err *err) attr_must_use;
