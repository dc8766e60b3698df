/* SPDX-License-Identifier: MIT */
/* YAML as JSON; see yaml_json.h. */
#include "yaml_json.h"

#include <string.h>

#include "init/base/alloc.h"
#include "init/base/text.h"

static int convert(struct yaml *y, struct fy_node *node, unsigned int depth, json_t **ret,
		   struct err *err);

static json_t *plain(const char *text)
{
	bool is_negative = text[0] == '-';
	uint64_t number;

	if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0)
		return json_boolean(text[0] == 't');
	if (text_parse_uint(text + is_negative, INT64_MAX, &number))
		return json_integer(is_negative ? -(json_int_t)number : (json_int_t)number);
	return json_string(text);
}

static int scalar(struct yaml *y, struct fy_node *node, json_t **ret, struct err *err)
{
	bool is_plain = fy_node_get_style(node) == FYNS_PLAIN;
	cleanup_free char *copy = NULL;
	const char *text;
	size_t len;

	if (is_plain && fy_node_is_null(node)) {
		*ret = json_null();
		return 0;
	}
	text = yaml_text(y, node, &len, err);
	if (!text)
		return yaml_place(y, NULL, err);
	copy = str_dup_len(text, len);
	*ret = is_plain ? plain(copy) : json_string(copy);
	if (!*ret) {
		err_set(err, ERR_INVALID, "is not text in UTF-8");
		return yaml_place(y, NULL, err);
	}
	return 0;
}

static int sequence(struct yaml *y, struct fy_node *node, unsigned int depth, json_t **ret,
		    struct err *err)
{
	cleanup(json_release) json_t *array = json_array();
	struct fy_node *item;
	void *at = NULL;

	while ((item = fy_node_sequence_iterate(node, &at))) {
		json_t *value;

		if (convert(y, item, depth, &value, err) < 0)
			return -1;
		json_array_append_new(array, value);
	}
	*ret = take_ptr(array);
	return 0;
}

static int pair(struct yaml *y, struct fy_node_pair *from, unsigned int depth, json_t *object,
		struct err *err)
{
	cleanup_free char *key = NULL;
	json_t *value;
	const char *text;
	size_t len;

	text = yaml_text(y, fy_node_pair_key(from), &len, err);
	if (!text)
		return yaml_place(y, NULL, err);
	key = str_dup_len(text, len);
	if (json_object_get(object, key)) {
		err_set(err, ERR_INVALID, "'%.60s' is there twice", key);
		return yaml_place(y, NULL, err);
	}
	/* "key:" alone is a pair without a value. */
	if (!fy_node_pair_value(from))
		value = json_null();
	else if (convert(y, fy_node_pair_value(from), depth, &value, err) < 0)
		return -1;
	if (json_object_set_new(object, key, value) < 0) {
		err_set(err, ERR_INVALID, "a key is not text in UTF-8");
		return yaml_place(y, NULL, err);
	}
	return 0;
}

static int mapping(struct yaml *y, struct fy_node *node, unsigned int depth, json_t **ret,
		   struct err *err)
{
	cleanup(json_release) json_t *object = json_object();
	struct fy_node_pair *item;
	void *at = NULL;

	while ((item = fy_node_mapping_iterate(node, &at))) {
		if (pair(y, item, depth, object, err) < 0)
			return -1;
	}
	*ret = take_ptr(object);
	return 0;
}

static int convert(struct yaml *y, struct fy_node *node, unsigned int depth, json_t **ret,
		   struct err *err)
{
	if (depth == YAML_JSON_DEPTH_MAX) {
		err_set(err, ERR_LIMIT, "nested deeper than %d", YAML_JSON_DEPTH_MAX);
		return yaml_place(y, NULL, err);
	}
	if (fy_node_is_mapping(node))
		return mapping(y, node, depth + 1, ret, err);
	if (fy_node_is_sequence(node))
		return sequence(y, node, depth + 1, ret, err);
	return scalar(y, node, ret, err);
}

int yaml_to_json(struct yaml *y, struct fy_node *node, json_t **ret, struct err *err)
{
	return convert(y, node, 0, ret, err);
}
