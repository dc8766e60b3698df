/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A table for people. Cells are added row by row and printed at the end, when their widths are
 * known:
 *
 *	cleanup(table_finish) struct table table;
 *
 *	table_init(&table, columns, ARRAY_LEN(columns), &output);
 *	table_add(&table, "%s", name);
 *	...
 *	table_print(&table, &output);
 *
 * What is shown comes from users and schedulers: whatever a terminal would act on, and characters
 * that turn the order of text around, are shown as '?'. On a terminal a table fits the line as well
 * as it can: columns that may be cut are, the last one first.
 */

#include <stdbool.h>
#include <stddef.h>

#include "controller/output/output.h"
#include "init/base/cleanup.h"

#define TABLE_CELL_MAX 256
#define TABLE_COLUMNS_MAX 24

struct column {
	const char *title;
	bool wide_only;
	bool may_be_cut;
	bool is_state; /* has a colour */
};

struct table {
	const struct column *columns;
	size_t width;
	bool wide;
	size_t widths[TABLE_COLUMNS_MAX]; /* in characters */
	size_t next;			  /* the column of the next cell */
	struct table_page *first, *last;  /* cells of columns that are shown, row by row */
};

/* For this output: cells of columns that it does not show are not even made. */
void table_init(struct table *table, const struct column *columns, size_t len,
		const struct output *output);
void table_finish(struct table *table);
DEFINE_CLEANUP_VALUE(struct table, table_finish)

/*
 * The next cell of the row; "" is shown as "-". Longer text than TABLE_CELL_MAX is cut, or than
 * len_max bytes.
 */
void table_add_text(struct table *table, const char *text);
void table_add_start(struct table *table, const char *text, size_t len_max);
void table_add(struct table *table, const char *fmt, ...) attr_printf(2, 3);

void table_print(const struct table *table, const struct output *output);

/* Makes text harmless for a terminal, in place; it never grows. */
void table_make_safe(char *text);
/* The same of text that may have several lines, and tabulators. */
void table_make_lines_safe(char *text);
