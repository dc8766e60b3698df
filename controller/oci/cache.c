/* SPDX-License-Identifier: MIT */
/* What registries said; see cache.h. */
#include "cache.h"

#include <string.h>

#include "controller/model/json.h"
#include "init/base/alloc.h"

static const char *const words[] = {
	[OCI_SILENT] = "silent",
	[OCI_OTHER] = "other",
	[OCI_FITS] = "fits",
};

static json_t *parse(struct span text)
{
	json_t *list = NULL;

	if (text.len == 0 || json_parse_any(text, OCI_CACHE_TEXT_MAX, &list, NULL) < 0)
		return json_array();
	if (json_is_array(list))
		return list;
	json_decref(list);
	return json_array();
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static bool is_about(const json_t *entry, const char *name, const char *arch)
{
	return strcmp(text_of(entry, "name"), name) == 0 &&
	       strcmp(text_of(entry, "arch"), arch) == 0;
}

static enum oci_known known_of(const json_t *entry)
{
	for (size_t i = OCI_SILENT; i < ARRAY_LEN(words); i++) {
		if (strcmp(text_of(entry, "known"), words[i]) == 0)
			return (enum oci_known)i;
	}
	return OCI_NOTHING;
}

/* A clock that was set back makes answers old, not eternal. */
static bool is_fresh(const json_t *entry, uint64_t now_s)
{
	json_int_t asked = json_integer_value(json_object_get(entry, "asked"));

	if (strstr(text_of(entry, "name"), "@sha256:") && known_of(entry) != OCI_SILENT)
		return true;
	return asked > 0 && (uint64_t)asked <= now_s && now_s - (uint64_t)asked < OCI_CACHE_AGE_S;
}

static void read_words(const json_t *entry, const char *key, struct oci_words *ret)
{
	const json_t *list = json_object_get(entry, key), *word;
	size_t i;

	json_array_foreach(list, i, word) {
		if (!json_is_string(word) || ret->len == OCI_WORDS_MAX)
			continue;
		ret->items = alloc_grow(ret->items, ret->len + 1, sizeof(*ret->items));
		ret->items[ret->len++] = str_dup(json_string_value(word));
	}
}

enum oci_known oci_cache_find(struct span text, const char *name, const char *arch, uint64_t now_s,
			      struct oci_image *ret)
{
	cleanup(json_release) json_t *list = parse(text);
	const json_t *entry;
	size_t i;

	*ret = (struct oci_image){ 0 };
	json_array_foreach(list, i, entry) {
		if (!is_about(entry, name, arch) || !is_fresh(entry, now_s))
			continue;
		ret->name = str_dup(name);
		ret->directory = str_dup(text_of(entry, "directory"));
		read_words(entry, "platforms", &ret->platforms);
		read_words(entry, "entrypoint", &ret->entrypoint);
		read_words(entry, "command", &ret->command);
		return known_of(entry);
	}
	return OCI_NOTHING;
}

static json_t *make_words(const struct oci_words *list)
{
	json_t *array = json_array();

	for (size_t i = 0; i < list->len; i++)
		json_array_append_new(array, json_string(list->items[i]));
	return array;
}

static json_t *make(const struct oci_cached *answer, uint64_t now_s)
{
	static const struct oci_image none;
	const struct oci_image *image = answer->image ? answer->image : &none;

	return json_pack("{s:s, s:s, s:s, s:I, s:o, s:o, s:o, s:s}", "name", answer->name, "arch",
			 answer->arch, "known", words[answer->known], "asked", (json_int_t)now_s,
			 "platforms", make_words(&image->platforms), "entrypoint",
			 make_words(&image->entrypoint), "command", make_words(&image->command),
			 "directory", image->directory ? image->directory : "");
}

char *oci_cache_put(struct span text, const struct oci_cached *answer, uint64_t now_s)
{
	cleanup(json_release) json_t *list = parse(text), *entry = make(answer, now_s);
	cleanup_free char *made = NULL;

	if (!entry)
		return NULL;
	for (size_t i = json_array_size(list); i-- > 0;) {
		if (is_about(json_array_get(list, i), answer->name, answer->arch) ||
		    i >= OCI_CACHE_MAX - 1)
			json_array_remove(list, i);
	}
	json_array_insert(list, 0, entry);
	made = json_dumps(list, JSON_COMPACT);
	return made && strlen(made) <= OCI_CACHE_TEXT_MAX ? take_ptr(made) : NULL;
}
