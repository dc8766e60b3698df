/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Configurations that are ready but for the user's own names, to be copied into config.yaml: one a
 * site. To add one: a line in examples.c; a test reads all of them as configuration.
 */

struct example {
	const char *name;
	const char *summary;
	const char *text;
};

extern const struct example ops_examples[]; /* ends with a NULL name */
