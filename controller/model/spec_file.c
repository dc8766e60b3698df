/* SPDX-License-Identifier: MIT */
/* Jobs written down in a file; see spec_file.h. */
#include "spec_file.h"

#include <stdlib.h>
#include <string.h>

#include "controller/model/spec_options.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

struct alias {
	const char *name;
	size_t offset;
};

#define X(kind, name, member) { name, offsetof(struct spec, member) },
static const struct alias aliases[] = { SPEC_ALIASES(X) };
#undef X

/* "ntasks_per_node" is written so in some files. */
static bool is_name(const char *name, const char *written)
{
	for (; *name && (*name == *written || (*name == '-' && *written == '_')); name++)
		written++;
	return *name == *written;
}

const struct spec_option *spec_find_option(const char *name)
{
	size_t offset = SIZE_MAX;

	for (size_t i = 0; i < ARRAY_LEN(aliases); i++) {
		if (is_name(aliases[i].name, name))
			offset = aliases[i].offset;
	}
	for (const struct spec_option *option = spec_options; option->name; option++) {
		if (option->offset == offset || is_name(option->name, name))
			return option;
	}
	return NULL;
}

static int set_number(const struct spec_option *option, const char *value, uint64_t *ret,
		      struct err *err)
{
	if (option->type == OPT_TYPE_DURATION)
		return text_parse_duration(value, ret)
			       ? 0
			       : err_set(err, ERR_INVALID,
					 "'%.80s' is not a duration: write it like 90s, 30m or 2h",
					 value);
	if (option->type == OPT_TYPE_SIZE)
		return text_parse_size(value, ret)
			       ? 0
			       : err_set(err, ERR_INVALID,
					 "'%.80s' is not a size: write it like 512M or 4G", value);
	if (!text_parse_uint(value, INT64_MAX, ret))
		return err_set(err, ERR_INVALID, "'%.80s' is not a number", value);
	return 0;
}

int spec_set(struct spec *spec, const struct spec_option *option, const char *value,
	     struct err *err)
{
	void *member = (char *)spec + option->offset;

	if (option->type == OPT_TYPE_STR) {
		*(const char **)member = value;
	} else if (option->type == OPT_TYPE_LIST) {
		struct opt_list *list = member;

		if (list->len == OPT_LIST_MAX)
			return err_set(err, ERR_LIMIT, "more than %d of them", OPT_LIST_MAX);
		list->items[list->len++] = value;
	} else if (option->type == OPT_TYPE_FLAG) {
		*(bool *)member = strcmp(value, "true") == 0;
		if (!*(bool *)member && strcmp(value, "false") != 0)
			return err_set(err, ERR_INVALID, "'%.80s' is neither true nor false",
				       value);
	} else {
		return set_number(option, value, member, err);
	}
	return 0;
}

struct spec_document *spec_file_add(struct spec_file *file)
{
	file->items = alloc_grow(file->items, file->len + 1, sizeof(*file->items));
	file->items[file->len] = new_zero(struct spec_document);
	return file->items[file->len++];
}

const char *spec_file_keep(struct spec_file *file, const char *text, size_t len)
{
	file->texts = alloc_grow(file->texts, file->texts_len + 1, sizeof(*file->texts));
	file->texts[file->texts_len] = str_dup_len(text, len);
	return file->texts[file->texts_len++];
}

void spec_file_finish(struct spec_file *file)
{
	for (size_t i = 0; i < file->len; i++)
		free(file->items[i]);
	for (size_t i = 0; i < file->texts_len; i++)
		free(file->texts[i]);
	free(file->items);
	free(file->texts);
	*file = (struct spec_file){ 0 };
}

int spec_file_parse(const char *file, struct span text, struct spec_file *ret, struct err *err)
{
	cleanup(spec_file_finish) struct spec_file own = { 0 };
	bool is_script = text.len >= 2 && memcmp(text.ptr, "#!", 2) == 0;

	if (text.len > SPEC_FILE_MAX)
		return err_set(err, ERR_LIMIT, "%s is larger than %d bytes", file, SPEC_FILE_MAX);
	if (text.len > 0 && memchr(text.ptr, '\0', text.len))
		return err_set(err, ERR_INVALID, "%s is no text: it has a NUL in it", file);
	if ((is_script ? spec_script_parse : spec_yaml_parse)(file, text, &own, err) < 0)
		return -1;
	if (own.len == 0)
		return err_set(err, ERR_INVALID, "%s: there is no job in it", file);
	*ret = own;
	own = (struct spec_file){ 0 };
	return 0;
}
