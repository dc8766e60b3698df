/* SPDX-License-Identifier: MIT */
/* Files as text; see files.h. */
#include "files.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "controller/output/table.h"
#include "controller/output/value.h"
#include "init/base/alloc.h"

#define MODE_SIZE 11
#define TIME_SIZE 32

static const struct column columns[] = {
	{ "MODE" }, { "USER" }, { "GROUP" }, { "SIZE" }, { "MODIFIED" }, { "NAME" },
};

static const struct {
	char type;
	const char *word;
} types[] = {
	{ '-', "file" },   { 'd', "directory" },	{ 'l', "link" },	 { 'p', "pipe" },
	{ 's', "socket" }, { 'c', "character-device" }, { 'b', "block-device" },
};

static const char *type_word(char type)
{
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (types[i].type == type)
			return types[i].word;
	}
	return "unknown";
}

/* "drwxr-sr-t", as ls(1). */
static void format_mode(const struct fs_entry *entry, char out[MODE_SIZE])
{
	static const char letters[] = "rwxrwxrwx";
	static const struct {
		uint32_t bit;
		size_t at;
		char with, without; /* permission to execute */
	} special[] = { { 04000, 3, 's', 'S' }, { 02000, 6, 's', 'S' }, { 01000, 9, 't', 'T' } };

	out[0] = entry->type;
	for (size_t i = 0; i < 9; i++)
		out[i + 1] = entry->mode & (0400U >> i) ? letters[i] : '-';
	for (size_t i = 0; i < ARRAY_LEN(special); i++) {
		if (entry->mode & special[i].bit)
			out[special[i].at] =
				out[special[i].at] == 'x' ? special[i].with : special[i].without;
	}
	out[MODE_SIZE - 1] = '\0';
}

static void format_time(uint64_t seconds, char out[TIME_SIZE])
{
	time_t when = (time_t)seconds;
	struct tm tm;

	if (!localtime_r(&when, &tm) || strftime(out, TIME_SIZE, "%Y-%m-%d %H:%M", &tm) == 0)
		out[0] = '\0';
}

void output_file_name(const char *name, const char *behind, const struct files_output *how)
{
	cleanup_free char *safe = str_dup(name);

	if (how->on_terminal)
		table_make_safe(safe);
	fprintf(how->output->out, "%s%s%c", safe, behind, how->end);
}

void output_file_names(const struct fs_list *list, const char *prefix,
		       const struct files_output *how)
{
	for (size_t i = 0; i < list->len; i++) {
		cleanup_free char *path = prefix ? fs_path_join(prefix, list->items[i].name) : NULL;

		output_file_name(path ? path : list->items[i].name, "", how);
	}
}

void output_file_table(const struct fs_list *list, const struct output *output)
{
	cleanup(table_finish) struct table table = { 0 };

	table_init(&table, columns, ARRAY_LEN(columns), output);
	for (size_t i = 0; i < list->len; i++) {
		const struct fs_entry *entry = &list->items[i];
		char mode[MODE_SIZE], when[TIME_SIZE];

		format_mode(entry, mode);
		format_time(entry->mtime_s, when);
		table_add(&table, "%s", mode);
		table_add(&table, "%s", entry->user);
		table_add(&table, "%s", entry->group);
		table_add(&table, "%" PRIu64, entry->size);
		table_add(&table, "%s", when);
		table_add(&table, "%s%s%s", entry->name, entry->target ? " -> " : "",
			  entry->target ? entry->target : "");
	}
	table_print(&table, output);
}

json_t *output_file_value(const struct fs_entry *entry, const char *path)
{
	json_t *object = json_object();
	char mode[8];

	snprintf(mode, sizeof(mode), "%04o", (unsigned int)(entry->mode & 07777));
	json_object_set_new(object, "path", value_text(path));
	json_object_set_new(object, "type", value_text(type_word(entry->type)));
	json_object_set_new(object, "mode", value_text(mode));
	json_object_set_new(object, "user", value_text(entry->user));
	json_object_set_new(object, "group", value_text(entry->group));
	json_object_set_new(object, "size", json_integer((json_int_t)entry->size));
	json_object_set_new(object, "modified",
			    value_time(entry->mtime_s <= UINT64_MAX / NSEC_PER_SEC
					       ? entry->mtime_s * NSEC_PER_SEC
					       : 0));
	json_object_set_new(object, "target", value_optional(entry->target ? entry->target : ""));
	return object;
}

void output_describe_file(const struct fs_entry *entry, const struct output *output)
{
	cleanup_free char *name = str_dup(entry->name);
	cleanup_free char *target = str_dup(entry->target ? entry->target : "");
	char mode[MODE_SIZE], when[TIME_SIZE];

	table_make_safe(name);
	table_make_safe(target);
	format_mode(entry, mode);
	format_time(entry->mtime_s, when);
	fprintf(output->out, "Path:         %s\nType:         %s\n", name, type_word(entry->type));
	if (target[0] != '\0')
		fprintf(output->out, "Target:       %s\n", target);
	fprintf(output->out,
		"Mode:         %s (%04o)\nUser:         %s\nGroup:        %s\nSize:         %" PRIu64
		"\nModified:     %s\n",
		mode, (unsigned int)(entry->mode & 07777), entry->user, entry->group, entry->size,
		when);
}
