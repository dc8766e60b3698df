/* SPDX-License-Identifier: MIT */
/* What doctor finds out; see finding.h. */
#include "finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "init/base/alloc.h"

static const char *const words[] = {
#define X(name, word) [name] = word,
	FINDING_LEVELS(X)
#undef X
};

const char *finding_level_word(enum finding_level level)
{
	return words[level];
}

static void finish(struct finding *finding)
{
	free(finding->check);
	free(finding->target);
	free(finding->text);
	*finding = (struct finding){ 0 };
}

void finding_list_finish(struct finding_list *list)
{
	for (size_t i = 0; i < list->len; i++)
		finish(&list->items[i]);
	free(list->items);
	*list = (struct finding_list){ 0 };
}

struct finding *finding_list_add(struct finding_list *list, const char *check, const char *target)
{
	struct finding *finding;

	if (list->len < FINDING_LIST_MAX)
		list->items = alloc_grow(list->items, ++list->len, sizeof(*list->items));
	else
		finish(&list->items[list->len - 1]);
	finding = &list->items[list->len - 1];
	*finding = (struct finding){
		.check = str_dup(check),
		.target = str_dup(target),
		.took_ms = -1,
		.text = str_dup(""),
	};
	return finding;
}

void finding_say(struct finding *finding, enum finding_level level, const char *fmt, ...)
{
	char text[FINDING_TEXT_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	finding->level = level;
	free(finding->text);
	finding->text = str_dup(text);
}

json_t *finding_json(const struct finding *finding)
{
	json_t *object = json_object();

	json_object_set_new(object, "check", json_string(finding->check));
	json_object_set_new(object, "target", json_string(finding->target));
	json_object_set_new(object, "level", json_string(words[finding->level]));
	json_object_set_new(object, "took_ms",
			    finding->took_ms >= 0 ? json_integer((json_int_t)finding->took_ms)
						  : json_null());
	json_object_set_new(object, "text", json_string(finding->text));
	return object;
}

static bool parse_level(const char *word, enum finding_level *ret)
{
	for (size_t i = 0; word && i < ARRAY_LEN(words); i++) {
		if (strcmp(word, words[i]) == 0) {
			*ret = (enum finding_level)i;
			return true;
		}
	}
	return false;
}

int finding_list_parse(struct finding_list *list, const json_t *object, struct err *err)
{
	const char *check = json_string_value(json_object_get(object, "check"));
	const char *target = json_string_value(json_object_get(object, "target"));
	const char *text = json_string_value(json_object_get(object, "text"));
	const json_t *took = json_object_get(object, "took_ms");
	enum finding_level level;
	struct finding *finding;
	double ms = json_number_value(took);

	if (!check || !target || !text ||
	    !parse_level(json_string_value(json_object_get(object, "level")), &level))
		return err_set(err, ERR_INVALID, "not a finding");
	finding = finding_list_add(list, check, target);
	finding_say(finding, level, "%s", text);
	if (json_is_number(took) && ms >= 0 && ms < 1e9)
		finding->took_ms = (int64_t)(ms + 0.999);
	return 0;
}

enum finding_level finding_list_worst(const struct finding_list *list)
{
	enum finding_level worst = FINDING_OK;

	for (size_t i = 0; i < list->len; i++)
		worst = MAX(worst, list->items[i].level);
	return worst;
}
