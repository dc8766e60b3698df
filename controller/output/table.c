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

/* What cells say, one behind the other: there are many, they are short, and they end together. */
struct table_texts {
	struct table_texts *next;
	size_t used;
	char bytes[64 * 1024];
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

void table_make_safe(char *text)
{
	unsigned char *from = (unsigned char *)text, *to;

	/* Most text has nothing else, and a table has many cells. */
	while (*from >= 0x20 && *from < 0x7f)
		from++;
	for (to = from; *from;) {
		size_t len = character_len(from);

		if (len == 0 || is_control(from) || is_invisible(from))
			*to++ = '?';
		else
			to = (unsigned char *)memmove(to, from, len) + len;
		from += MAX(len, (size_t)1);
	}
	*to = '\0';
}

void table_init(struct table *table, const struct column *columns, size_t len,
		const struct output *output)
{
	assert(len <= TABLE_COLUMNS_MAX);
	*table = (struct table){ .columns = columns,
				 .width = len,
				 .wide = output->format == OUTPUT_WIDE };
}

void table_finish(struct table *table)
{
	for (struct table_texts *texts = table->texts, *next; texts; texts = next) {
		next = texts->next;
		free(texts);
	}
	free(table->cells);
	*table = (struct table){ 0 };
}

static bool is_shown(const struct column *column, const struct table *table)
{
	return !column->wide_only || table->wide;
}

/* A copy of the first bytes, as text, for as long as the table is there. */
static char *keep_text(struct table *table, const char *text, size_t len)
{
	struct table_texts *texts = table->texts;
	char *copy;

	if (!texts || sizeof(texts->bytes) - texts->used <= len) {
		texts = new_zero(struct table_texts);
		texts->next = table->texts;
		table->texts = texts;
	}
	copy = memcpy(texts->bytes + texts->used, text, len);
	texts->used += len + 1;
	return copy;
}

static void add_cell(struct table *table, char *text)
{
	/* Grown in powers of two: the capacity follows from the length. */
	if ((table->len & (table->len - 1)) == 0)
		table->cells = alloc_grow(table->cells, table->len ? table->len * 2 : 1,
					  sizeof(*table->cells));
	table->cells[table->len++] = text;
}

void table_add_text(struct table *table, const char *text)
{
	char *cell = NULL;

	if (is_shown(&table->columns[table->len % table->width], table)) {
		if (text[0] == '\0')
			text = "-";
		cell = keep_text(table, text, strnlen(text, TABLE_CELL_MAX - 1));
		table_make_safe(cell);
	}
	add_cell(table, cell);
}

void table_add(struct table *table, const char *fmt, ...)
{
	char text[TABLE_CELL_MAX];
	va_list args;

	va_start(args, fmt);
	if (vsnprintf(text, sizeof(text), fmt, args) < 0)
		text[0] = '\0';
	va_end(args);
	table_add_text(table, text);
}

/* The number of characters of UTF-8 text: what a terminal shows of it, as good as. */
static size_t width_of(const char *s)
{
	size_t width = 0;

	for (; *s; s++)
		width += ((unsigned char)*s & 0xc0) != 0x80;
	return width;
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

static void measure(const struct table *table, const struct output *output,
		    size_t widths[TABLE_COLUMNS_MAX])
{
	for (size_t i = 0; i < table->width; i++)
		widths[i] = output->no_headers ? 1 : width_of(table->columns[i].title);
	for (size_t i = 0; i < table->len; i++) {
		size_t *width = &widths[i % table->width];

		if (table->cells[i])
			*width = MAX(*width, width_of(table->cells[i]));
	}
}

/* Takes what the line has not room for from the columns that may be cut. */
static void fit(const struct table *table, const struct output *output,
		size_t widths[TABLE_COLUMNS_MAX])
{
	size_t total = 0;

	for (size_t i = 0; i < table->width; i++)
		total += is_shown(&table->columns[i], table) ? widths[i] + GAP : 0;
	total -= MIN(total, (size_t)GAP);
	for (size_t i = table->width; i-- > 0 && total > output->width;) {
		size_t spare = widths[i] - MIN(widths[i], (size_t)NARROWEST);
		size_t taken = MIN(spare, total - output->width);

		if (!is_shown(&table->columns[i], table) || !table->columns[i].may_be_cut)
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

static void print_spaces(size_t len, FILE *out)
{
	static const char spaces[] =
		"                                                                ";

	for (size_t part; len > 0; len -= part) {
		part = MIN(len, sizeof(spaces) - 1);
		fwrite(spaces, 1, part, out);
	}
}

static void print_cell(const char *text, size_t width, bool is_last, const char *colour, FILE *out)
{
	size_t own = width_of(text);
	bool cut = own > width;

	if (colour)
		fprintf(out, "\033[%sm", colour);
	fwrite(text, 1, cut ? bytes_of(text, width - strlen(CUT)) : strlen(text), out);
	if (cut)
		fputs(CUT, out);
	if (colour)
		fputs("\033[0m", out);
	if (!is_last)
		print_spaces((cut ? 0 : width - own) + GAP, out);
}

/* Row 0 is the titles. */
static void print_row(const struct table *table, const struct output *output, size_t row,
		      const size_t widths[TABLE_COLUMNS_MAX])
{
	size_t last = table->width;

	for (size_t i = 0; i < table->width; i++)
		last = is_shown(&table->columns[i], table) ? i : last;
	for (size_t i = 0; i < table->width; i++) {
		const struct column *column = &table->columns[i];
		const char *text =
			row == 0 ? column->title : table->cells[(row - 1) * table->width + i];
		bool coloured = row > 0 && column->is_state && output->colour;

		if (is_shown(column, table))
			print_cell(text, widths[i], i == last, coloured ? colour_of(text) : NULL,
				   output->out);
	}
	fputc('\n', output->out);
}

void table_print(const struct table *table, const struct output *output)
{
	size_t widths[TABLE_COLUMNS_MAX] = { 0 };

	assert(table->len % table->width == 0);
	measure(table, output, widths);
	if (output->width > 0)
		fit(table, output, widths);
	for (size_t row = output->no_headers ? 1 : 0; row <= table->len / table->width; row++)
		print_row(table, output, row, widths);
}
