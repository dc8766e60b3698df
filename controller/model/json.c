/* SPDX-License-Identifier: MIT */
/* JSON from outside; see json.h. */
#include "json.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void json_wipe(void *memory)
{
	if (memory)
		explicit_bzero(memory, malloc_usable_size(memory));
}

static void wipe_and_free(void *memory)
{
	json_wipe(memory);
	free(memory);
}

void json_wipe_freed(void)
{
	json_set_alloc_funcs(malloc, wipe_and_free);
}

int json_parse_any(struct span text, size_t max, json_t **ret, struct err *err)
{
	cleanup(json_release) json_t *json = NULL;
	json_error_t error;

	if (text.len > max)
		return err_set(err, ERR_LIMIT, "larger than %zu bytes", max);
	json = json_loadb((const char *)text.ptr, text.len, JSON_REJECT_DUPLICATES, &error);
	if (!json)
		return err_set(err, ERR_INVALID, "not JSON: line %d: %s", error.line, error.text);
	*ret = take_ptr(json);
	return 0;
}

int json_parse(struct span text, size_t max, json_t **ret, struct err *err)
{
	cleanup(json_release) json_t *json = NULL;

	if (json_parse_any(text, max, &json, err) < 0)
		return -1;
	if (!json_is_object(json))
		return err_set(err, ERR_INVALID, "not a JSON object");
	*ret = take_ptr(json);
	return 0;
}

bool json_append_readable(struct buf *b, const json_t *json)
{
	cleanup_free char *text = json_dumps(json, JSON_INDENT(2) | JSON_PRESERVE_ORDER);

	return text && buf_printf(b, "%s\n", text);
}
