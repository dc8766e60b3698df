/* SPDX-License-Identifier: MIT */
/* What a user asked for; see spec.h. */
#include "spec.h"

#include <inttypes.h>
#include <string.h>

#include "init/base/alloc.h"
#include "init/base/text.h"

uint64_t spec_ranks(const struct spec *spec)
{
	uint64_t nodes = MAX(spec->nodes, UINT64_C(1));

	if (spec->script)
		return 1;
	if (spec->tasks > 0)
		return MAX(spec->tasks, nodes);
	return nodes * MAX(spec->tasks_per_node, UINT64_C(1));
}

static bool add_string(struct buf *b, const char *s)
{
	return buf_append_u8(b, '"') && text_append_json(b, s) && buf_append_u8(b, '"');
}

static bool add_list(struct buf *b, const char *key, const char *const *items, size_t len)
{
	if (!buf_printf(b, ",\n  \"%s\": [", key))
		return false;
	for (size_t i = 0; i < len; i++) {
		if ((i > 0 && !buf_append(b, ", ", 2)) || !add_string(b, items[i]))
			return false;
	}
	return buf_append_u8(b, ']');
}

static size_t count_words(const char *const *words)
{
	size_t len = 0;

	while (words[len])
		len++;
	return len;
}

static bool add_option(struct buf *b, const struct spec *spec, const struct spec_option *option)
{
	const void *member = (const char *)spec + option->offset;
	const struct opt_list *list = member;

	switch (option->type) {
	case OPT_TYPE_STR:
		return buf_printf(b, ",\n  \"%s\": ", option->name) &&
		       add_string(b, *(const char *const *)member);
	case OPT_TYPE_LIST:
		return add_list(b, option->name, list->items, list->len);
	case OPT_TYPE_FLAG:
		return buf_printf(b, ",\n  \"%s\": true", option->name);
	case OPT_TYPE_DURATION:
		return buf_printf(b, ",\n  \"%s\": %" PRIu64, option->name,
				  *(const uint64_t *)member / NSEC_PER_SEC);
	case OPT_TYPE_UINT:
	case OPT_TYPE_SIZE:
		return buf_printf(b, ",\n  \"%s\": %" PRIu64, option->name,
				  *(const uint64_t *)member);
	case OPT_TYPE_COUNT:
	case OPT_TYPE_END:
		break;
	}
	return false;
}

int spec_to_json(const struct spec *spec, struct buf *ret, struct err *err)
{
	bool ok = buf_printf(ret, "{\n  \"version\": 2") &&
		  (!spec->name ||
		   (buf_printf(ret, ",\n  \"name\": ") && add_string(ret, spec->name))) &&
		  add_list(ret, "command", spec->command, count_words(spec->command)) &&
		  (!spec->script || buf_printf(ret, ",\n  \"script\": true"));

	for (const struct spec_option *option = spec_options; ok && option->name; option++)
		ok = !spec_has(spec, option) || add_option(ret, spec, option);
	if (!ok || !buf_append(ret, "\n}\n", 3))
		return err_set(err, ERR_LIMIT, "the job's specification is larger than %d bytes",
			       SPEC_JSON_MAX);
	return 0;
}

char *spec_command_line(const struct spec *spec)
{
	cleanup(buf_finish) struct buf line = BUF_INIT(SPEC_LINE_MAX);
	bool cut = false;

	for (const char *const *word = spec->command; *word && !cut; word++) {
		if (word != spec->command)
			cut = !buf_append_u8(&line, ' ');
		/* A word that does not fit leaves what fitted of it. */
		cut = cut || !text_append_shell(&line, *word);
	}
	if (cut) {
		buf_truncate(&line, MIN(buf_len(&line), (size_t)SPEC_LINE_MAX - 3));
		if (!buf_append(&line, "...", 3))
			buf_truncate(&line, 0);
	}
	return buf_take_str(&line);
}
