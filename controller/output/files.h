/* SPDX-License-Identifier: MIT */
#pragma once

#include <jansson.h>

#include "controller/files/fs.h"
#include "controller/output/output.h"

/*
 * Files as text. Names are foreign: on a terminal, and in tables, what it would act on is shown as
 * '?'; lists of names that go elsewhere have the bytes as they are, each ended by `end`. Members of
 * a value are documented in berth(1).
 */
struct files_output {
	const struct output *output;
	bool on_terminal;
	char end; /* '\n' or NUL */
};

/* A title and the names of a directory, or a table with all that is known; prefix goes before. */
void output_file_names(const struct fs_list *list, const char *prefix,
		       const struct files_output *how);
void output_file_table(const struct fs_list *list, const struct output *output);

/* A name alone, as output_file_names() shows it, and what follows it. */
void output_file_name(const char *name, const char *behind, const struct files_output *how);

json_t *output_file_value(const struct fs_entry *entry, const char *path);

/* Line by line what is known of one file, for people. */
void output_describe_file(const struct fs_entry *entry, const struct output *output);
