/* SPDX-License-Identifier: MIT */
/* Pieces of manifests; see manifest.h. */
#include "manifest.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

json_t *kube_object_at(json_t *object, const char *key)
{
	json_t *member = json_object_get(object, key);

	if (!json_is_object(member)) {
		member = json_object();
		json_object_set_new(object, key, member);
	}
	return member;
}

json_t *kube_array_at(json_t *object, const char *key)
{
	json_t *member = json_object_get(object, key);

	if (!json_is_array(member)) {
		member = json_array();
		json_object_set_new(object, key, member);
	}
	return member;
}

void kube_set_text(json_t *object, const char *key, const char *text)
{
	json_object_set_new(object, key, json_string(text));
}

void kube_set_count(json_t *object, const char *key, uint64_t count)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, count);
	kube_set_text(object, key, text);
}

json_t *kube_item_with(json_t *list, const char *key, const char *value)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item) {
		const char *text = json_string_value(json_object_get(item, key));

		if (text && strcmp(text, value) == 0)
			return item;
	}
	return NULL;
}

void kube_put_item(json_t *list, const char *key, json_t *item)
{
	const char *value = json_string_value(json_object_get(item, key));
	json_t *before = value ? kube_item_with(list, key, value) : NULL;

	if (!before) {
		json_array_append_new(list, item);
		return;
	}
	json_object_clear(before);
	json_object_update(before, item);
	json_decref(item);
}
