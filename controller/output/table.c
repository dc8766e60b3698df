/* SPDX-License-Identifier: MIT */
/* A table for people; see table.h. */
#include "table.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "init/base/alloc.h"

#define GAP 2
#define CUT ".."
#define NARROWEST 8

#define COLOUR_MAX 16
#define PAGE_SIZE (64 * 1024)

/*
 * Cells lie one behind the other, in the order in which they are printed: there are many, they are
 * short, and they end together. Each is its length in bytes and in characters, and its text with a
 * NUL.
 */
struct table_page {
	struct table_page *next;
	size_t used;
	uint8_t bytes[PAGE_SIZE];
};
static_assert(TABLE_CELL_MAX <= UINT8_MAX + 1, "the length of a cell is one byte");

struct cell {
	size_t len, width;
	const char *text;
};

/* What is printed, in pieces of many lines. */
struct printer {
	FILE *out;
	size_t used;
	char bytes[PAGE_SIZE];
};

/* ECMA-48 colours of states, by the word. */
static const struct {
	const char *state, *colour;
} colours[] = {
	{ "QUEUED", "33" },  { "STARTING", "33" },  { "RUNNING", "32" },   { "FAILED", "31" },
	{ "TIMEOUT", "31" }, { "CANCELLED", "35" }, { "PREEMPTED", "35" }, { "UNKNOWN", "1;33" },
};

/* The length of the UTF-8 character at p, or 0 where there is none. */
static size_t character_len(const unsigned char *p)
{
	size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc2 ? 2 : 0;

	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	return len;
}

/* Control characters of ASCII and those from U+0080 to U+009F. */
static bool is_control(const unsigned char *p)
{
	return p[0] < 0x20 || p[0] == 0x7f || (p[0] == 0xc2 && p[1] < 0xa0);
}

/* U+200B to U+200F, U+2028 to U+202E, U+2066 to U+2069: unseen, they change the order of text. */
static bool is_invisible(const unsigned char *p)
{
	if (p[0] != 0xe2)
		return false;
	if (p[1] == 0x80)
		return (p[2] >= 0x8b && p[2] <= 0x8f) || (p[2] >= 0xa8 && p[2] <= 0xae);
	return p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9;
}

/* All but the control characters that are kept. */
static void make_safe(char *text, const char *kept)
{
	unsigned char *from = (unsigned char *)text, *to;

	/* Most text has nothing else, and a table has many cells. */
	while (*from >= 0x20 && *from < 0x7f)
		from++;
	for (to = from; *from;) {
		size_t len = character_len(from);

		if (strchr(kept, *from))
			*to++ = *from;
		else if (len == 0 || is_control(from) || is_invisible(from))
			*to++ = '?';
		else
			to = (unsigned char *)memmove(to, from, len) + len;
		from += MAX(len, (size_t)1);
	}
	*to = '\0';
}

void table_make_safe(char *text)
{
	make_safe(text, "");
}

void table_make_lines_safe(char *text)
{
	make_safe(text, "\n\t");
}

/* The number of characters of UTF-8 text: what a terminal shows of it, as good as. */
static size_t width_of(const char *s, size_t len)
{
	size_t width = 0;

	for (size_t i = 0; i < len; i++)
		width += ((unsigned char)s[i] & 0xc0) != 0x80;
	return width;
}

void table_init(struct table *table, const struct column *columns, size_t len,
		const struct output *output)
{
	assert(len <= TABLE_COLUMNS_MAX);
	*table = (struct table){ .columns = columns,
				 .width = len,
				 .wide = output->format == OUTPUT_WIDE };
	for (size_t i = 0; i < len; i++)
		table->widths[i] = output->no_headers
					   ? 1
					   : width_of(columns[i].title, strlen(columns[i].title));
}

void table_finish(struct table *table)
{
	for (struct table_page *page = table->first, *next; page; page = next) {
		next = page->next;
		free(page);
	}
	*table = (struct table){ 0 };
}

static bool is_shown(const struct table *table, size_t column)
{
	return !table->columns[column].wide_only || table->wide;
}

/* Room for the largest cell. */
static struct table_page *page_for_cell(struct table *table)
{
	struct table_page *page = table->last;

	if (page && sizeof(page->bytes) - page->used >= TABLE_CELL_MAX + 2)
		return page;
	page = new_zero(struct table_page);
	if (table->last)
		table->last->next = page;
	else
		table->first = page;
	return table->last = page;
}

void table_add_start(struct table *table, const char *text, size_t len_max)
{
	size_t column = table->next, len, width;
	struct table_page *page;
	char *copy;

	table->next = (column + 1) % table->width;
	if (!is_shown(table, column))
		return;
	if (text[0] == '\0')
		text = "-";
	page = page_for_cell(table);
	copy = (char *)page->bytes + page->used + 2;
	len = strnlen(text, MIN(len_max, (size_t)TABLE_CELL_MAX - 1));
	memcpy(copy, text, len);
	copy[len] = '\0';
	table_make_safe(copy);
	len = strlen(copy);
	width = width_of(copy, len);
	table->widths[column] = MAX(table->widths[column], width);
	page->bytes[page->used] = (uint8_t)len;
	page->bytes[page->used + 1] = (uint8_t)width;
	page->used += 2 + len + 1;
}

void table_add_text(struct table *table, const char *text)
{
	table_add_start(table, text, TABLE_CELL_MAX);
}

void table_add(struct table *table, const char *fmt, ...)
{
	char text[TABLE_CELL_MAX] = "";
	va_list args;

	va_start(args, fmt);
	if (is_shown(table, table->next) && vsnprintf(text, sizeof(text), fmt, args) < 0)
		text[0] = '\0';
	va_end(args);
	table_add_text(table, text);
}

/* The bytes of the first characters. */
static size_t bytes_of(const char *s, size_t characters)
{
	size_t len = 0;

	while (s[len] && (characters > 0 || ((unsigned char)s[len] & 0xc0) == 0x80)) {
		characters -= ((unsigned char)s[len] & 0xc0) != 0x80;
		len++;
	}
	return len;
}

/* Takes what the line has not room for from the columns that may be cut. */
static void fit(const struct table *table, const struct output *output,
		size_t widths[TABLE_COLUMNS_MAX])
{
	size_t total = 0;

	for (size_t i = 0; i < table->width; i++)
		total += is_shown(table, i) ? widths[i] + GAP : 0;
	total -= MIN(total, (size_t)GAP);
	for (size_t i = table->width; i-- > 0 && total > output->width;) {
		size_t spare = widths[i] - MIN(widths[i], (size_t)NARROWEST);
		size_t taken = MIN(spare, total - output->width);

		if (!is_shown(table, i) || !table->columns[i].may_be_cut)
			continue;
		widths[i] -= taken;
		total -= taken;
	}
}

static const char *colour_of(const char *state)
{
	for (size_t i = 0; i < ARRAY_LEN(colours); i++) {
		if (strcmp(colours[i].state, state) == 0)
			return colours[i].colour;
	}
	return NULL;
}

static void flush(struct printer *printer)
{
	fwrite(printer->bytes, 1, printer->used, printer->out);
	printer->used = 0;
}

/* Of what is less than a line there is room. */
static void put(struct printer *printer, const char *bytes, size_t len)
{
	memcpy(printer->bytes + printer->used, bytes, len);
	printer->used += len;
}

static void put_text(struct printer *printer, const char *text)
{
	put(printer, text, strlen(text));
}

static void put_spaces(struct printer *printer, size_t len)
{
	memset(printer->bytes + printer->used, ' ', len);
	printer->used += len;
}

static void print_cell(const struct cell *cell, size_t width, bool is_last, const char *colour,
		       struct printer *printer)
{
	bool cut = cell->width > width;

	if (colour) {
		put_text(printer, "\033[");
		put_text(printer, colour);
		put_text(printer, "m");
	}
	put(printer, cell->text, cut ? bytes_of(cell->text, width - strlen(CUT)) : cell->len);
	if (cut)
		put_text(printer, CUT);
	if (colour)
		put_text(printer, "\033[0m");
	if (!is_last)
		put_spaces(printer, (cut ? 0 : width - cell->width) + GAP);
}

/* The cells of the rows in their order. */
struct cursor {
	const struct table_page *page;
	size_t at;
};

static bool next_cell(struct cursor *cursor, struct cell *ret)
{
	const uint8_t *bytes;

	if (cursor->page && cursor->at == cursor->page->used)
		*cursor = (struct cursor){ .page = cursor->page->next };
	if (!cursor->page)
		return false;
	bytes = cursor->page->bytes + cursor->at;
	*ret = (struct cell){ .len = bytes[0], .width = bytes[1], .text = (const char *)bytes + 2 };
	cursor->at += 2 + ret->len + 1;
	return true;
}

static void begin_row(struct printer *printer)
{
	if (sizeof(printer->bytes) - printer->used <
	    TABLE_COLUMNS_MAX * (TABLE_CELL_MAX + GAP + COLOUR_MAX))
		flush(printer);
}

static void print_titles(const struct table *table, const size_t widths[TABLE_COLUMNS_MAX],
			 size_t last, struct printer *printer)
{
	begin_row(printer);
	for (size_t i = 0; i <= last; i++) {
		const char *title = table->columns[i].title;
		struct cell cell = { .len = strlen(title), .text = title };

		cell.width = width_of(title, cell.len);
		if (is_shown(table, i))
			print_cell(&cell, widths[i], i == last, NULL, printer);
	}
	put_text(printer, "\n");
}

/* False when there is none left. */
static bool print_row(const struct table *table, const size_t widths[TABLE_COLUMNS_MAX],
		      size_t last, bool coloured, struct cursor *cursor, struct printer *printer)
{
	struct cell cell;

	begin_row(printer);
	for (size_t i = 0; i <= last; i++) {
		const char *colour = NULL;

		if (!is_shown(table, i))
			continue;
		if (!next_cell(cursor, &cell))
			return false;
		if (coloured && table->columns[i].is_state)
			colour = colour_of(cell.text);
		print_cell(&cell, widths[i], i == last, colour, printer);
	}
	put_text(printer, "\n");
	return true;
}

void table_print(const struct table *table, const struct output *output)
{
	cleanup_free struct printer *printer = new_zero(struct printer);
	struct cursor cursor = { .page = table->first };
	size_t widths[TABLE_COLUMNS_MAX], last = 0;

	assert(table->next == 0);
	memcpy(widths, table->widths, sizeof(widths));
	printer->out = output->out;
	if (output->width > 0)
		fit(table, output, widths);
	for (size_t i = 0; i < table->width; i++)
		last = is_shown(table, i) ? i : last;
	if (!output->no_headers)
		print_titles(table, widths, last, printer);
	while (print_row(table, widths, last, output->colour, &cursor, printer))
		;
	flush(printer);
}
