/* SPDX-License-Identifier: MIT */
/* Sets of kinds of paths; see path_mask.h. */
#include "path_mask.h"

#include <string.h>

#include "init/base/alloc.h"

/* The kinds that files name. */
static const enum path_kind named[] = { PATH_DIRECT, PATH_RELAY, PATH_RELAY_TCP, PATH_LOGIN };

#define NAMES "direct, relay, relay-tcp and login"

bool path_mask_has(unsigned int mask, enum path_kind kind)
{
	return mask == 0 || (mask & PATH_MASK(kind)) != 0;
}

static bool add(const char *name, unsigned int *mask)
{
	for (size_t i = 0; i < ARRAY_LEN(named); i++) {
		if (strcmp(name, path_kind_name(named[i])) != 0)
			continue;
		*mask |= PATH_MASK(named[i]);
		if (named[i] == PATH_DIRECT)
			*mask |= PATH_MASK(PATH_PUNCHED);
		return true;
	}
	return false;
}

int path_mask_parse(const json_t *array, unsigned int *ret, struct err *err)
{
	unsigned int mask = 0;

	if (array && (!json_is_array(array) || json_array_size(array) == 0))
		return err_set(err, ERR_INVALID, "\"paths\" is not an array of some of " NAMES);
	for (size_t i = 0; i < json_array_size(array); i++) {
		const char *name = json_string_value(json_array_get(array, i));

		if (!name || !add(name, &mask))
			return err_set(err, ERR_INVALID, "\"paths\": entry %zu is none of " NAMES,
				       i + 1);
	}
	*ret = array ? mask : PATH_MASK_ALL;
	return 0;
}

int path_mask_parse_list(const char *list, unsigned int *ret, struct err *err)
{
	unsigned int mask = 0;

	for (const char *at = list;; at++) {
		size_t len = strcspn(at, ",");
		cleanup_free char *name = str_dup_len(at, len);

		if (!add(name, &mask))
			return err_set(err, ERR_INVALID, "'%s' is none of " NAMES, name);
		at += len;
		if (*at == '\0')
			break;
	}
	*ret = mask;
	return 0;
}

json_t *path_mask_json(unsigned int mask)
{
	json_t *array = json_array();

	for (size_t i = 0; i < ARRAY_LEN(named); i++)
		if (path_mask_has(mask, named[i]))
			json_array_append_new(array, json_string(path_kind_name(named[i])));
	return array;
}
