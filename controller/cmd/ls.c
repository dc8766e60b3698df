/* SPDX-License-Identifier: MIT */
/* berth ls: what is in directories. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cmd/files.h"
#include "controller/output/files.h"
#include "controller/output/value.h"
#include "init/base/alloc.h"

struct args {
	bool is_long, all, recursive, directory, null;
	const char *output;
	struct files_args files;
};

static const struct opt opts[] = {
	OPT_FLAG('l', "long", struct args, is_long, "with mode, owner, size and time"),
	OPT_FLAG('a', "all", struct args, all, "also names that begin with a dot"),
	OPT_FLAG('R', "recursive", struct args, recursive, "also what is in directories in it"),
	OPT_FLAG('d', "directory", struct args, directory, "directories themselves"),
	OPT_STR('o', "output", struct args, output, "FORMAT",
		"table, wide (as -l), json, yaml, csv or name"),
	OPT_FLAG('0', "null", struct args, null, "end names with NUL, not a newline"),
	FILES_OPTS(struct args, files),
	OPT_END,
};

struct ls {
	const struct args *args;
	struct output output;
	struct files_output how;
	json_t *values; /* for programs; else NULL */
	bool titles;	/* several directories are listed */
	bool begun;
	/* Directories that are still to be listed, the next one last. */
	char **waiting;
	size_t waiting_len;
};

static void ls_finish(struct ls *ls)
{
	for (size_t i = 0; i < ls->waiting_len; i++)
		free(ls->waiting[i]);
	free(ls->waiting);
	json_decref(ls->values);
}
DEFINE_CLEANUP_VALUE(struct ls, ls_finish)

static void drop_hidden(struct fs_list *list)
{
	size_t kept = 0;

	for (size_t i = 0; i < list->len; i++) {
		if (list->items[i].name[0] == '.')
			fs_entry_finish(&list->items[i]);
		else
			list->items[kept++] = list->items[i];
	}
	list->len = kept;
}

static void add_values(struct ls *ls, const struct fs_list *list, const char *dir)
{
	for (size_t i = 0; i < list->len; i++) {
		cleanup_free char *path =
			dir ? fs_path_join(dir, list->items[i].name) : str_dup(list->items[i].name);

		json_array_append_new(ls->values, output_file_value(&list->items[i], path));
	}
}

static void show(struct ls *ls, const struct fs_list *list, const char *dir)
{
	bool is_name = ls->output.format == OUTPUT_NAME;

	if (ls->values) {
		add_values(ls, list, dir);
		return;
	}
	if (dir && ls->titles && !is_name) {
		if (ls->begun)
			fputc(ls->how.end, ls->output.out);
		output_file_name(dir, ":", &ls->how);
	}
	ls->begun = true;
	if (ls->output.format == OUTPUT_WIDE)
		output_file_table(list, &ls->output);
	else
		output_file_names(list, is_name && ls->titles ? dir : NULL, &ls->how);
}

/* The last of the list comes next. */
static void wait_for_dirs(struct ls *ls, const struct fs_list *list, const char *dir)
{
	for (size_t i = list->len; i-- > 0;) {
		if (list->items[i].type != 'd')
			continue;
		ls->waiting = alloc_grow(ls->waiting, ls->waiting_len + 1, sizeof(*ls->waiting));
		ls->waiting[ls->waiting_len++] = fs_path_join(dir, list->items[i].name);
	}
}

static int list_dir(struct ls *ls, struct fs *fs, const char *dir, struct err *err)
{
	cleanup(fs_list_finish) struct fs_list list = { 0 };

	if (fs_list(fs, dir, &list, err) < 0)
		return -1;
	if (!ls->args->all)
		drop_hidden(&list);
	show(ls, &list, dir);
	if (ls->args->recursive)
		wait_for_dirs(ls, &list, dir);
	return 0;
}

static int list_operand(void *arg, const struct files_visit *visit, struct err *err)
{
	cleanup(fs_list_finish) struct fs_list one = { 0 };
	struct fs_entry entry;
	struct ls *ls = arg;
	const char *path = visit->path[0] ? visit->path : ".";

	if (fs_stat(visit->files->fs, path, !ls->args->directory, &entry, err) < 0)
		return -1;
	fs_list_add(&one, &entry);
	if (one.items[0].type != 'd' || ls->args->directory) {
		show(ls, &one, NULL);
		return 0;
	}
	if (list_dir(ls, visit->files->fs, path, err) < 0)
		return -1;
	while (ls->waiting_len > 0) {
		cleanup_free char *dir = ls->waiting[--ls->waiting_len];

		if (list_dir(ls, visit->files->fs, dir, err) < 0)
			return -1;
	}
	return 0;
}

static int run(void *opaque, int argc, char **argv, struct err *err)
{
	const struct args *args = opaque;
	cleanup(ls_finish) struct ls ls = { .args = args };
	char here[] = ".", *none[] = { here };

	if (cmd_files_output(args->output, &ls.output, err) < 0)
		return -1;
	if (args->is_long && ls.output.format == OUTPUT_TABLE)
		ls.output.format = OUTPUT_WIDE;
	if (ls.output.format == OUTPUT_JSON || ls.output.format == OUTPUT_YAML ||
	    ls.output.format == OUTPUT_CSV)
		ls.values = json_array();
	ls.how = (struct files_output){ .output = &ls.output,
					.on_terminal = isatty(STDOUT_FILENO) && !args->null,
					.end = args->null ? '\0' : '\n' };
	ls.titles = args->recursive || argc > 1;
	if (cmd_files_each(&args->files, argc ? argc : 1, argc ? argv : none, list_operand, &ls,
			   err) < 0)
		return -1;
	if (ls.values)
		value_print(ls.values, &ls.output);
	return output_end(&ls.output, err);
}

const struct verb cmd_ls = {
	.name = "ls",
	.operands = "[PLACE:PATH...]",
	.summary = "list files of a cluster or in a job",
	.details = FILES_DETAILS,
	.opts = opts,
	.mode = OPT_PERMUTE,
	.args_size = sizeof(struct args),
	.operands_max = -1,
	.run = run,
};
