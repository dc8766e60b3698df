/* SPDX-License-Identifier: MIT */
/* What doctor finds out; see finding.h. */
#include "finding.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "init/base/cleanup.h"
#include "init/base/text.h"

#define NS_PER_MS 1e6

static const char *const level_names[] = {
#define LEVEL_NAME(name, text) [name] = text,
	FINDING_LEVELS(LEVEL_NAME)
#undef LEVEL_NAME
};

struct finding *findings_add(struct findings *findings, const char *check, const char *target)
{
	struct finding *finding = &findings->items[MIN(findings->len, (size_t)FINDINGS_MAX - 1)];

	if (findings->len < FINDINGS_MAX)
		findings->len++;
	*finding = (struct finding){ .check = check };
	snprintf(finding->target, sizeof(finding->target), "%s", target);
	return finding;
}

void finding_say(struct finding *finding, enum finding_level level, const char *fmt, ...)
{
	va_list args;

	finding->level = level;
	va_start(args, fmt);
	vsnprintf(finding->text, sizeof(finding->text), fmt, args);
	va_end(args);
	text_make_printable(finding->text);
}

enum finding_level findings_worst(const struct findings *findings)
{
	enum finding_level worst = FINDING_OK;

	for (size_t i = 0; i < findings->len; i++)
		worst = MAX(worst, findings->items[i].level);
	return worst;
}

int findings_status(const struct findings *findings)
{
	static const int statuses[] = {
		[FINDING_OK] = 0,
		[FINDING_NOTE] = 0,
		[FINDING_WARNING] = 1,
		[FINDING_FAILURE] = 2,
	};

	return statuses[findings_worst(findings)];
}

void findings_print(const struct findings *findings, FILE *out)
{
	for (size_t i = 0; i < findings->len; i++) {
		const struct finding *finding = &findings->items[i];
		char took[32] = "-";

		if (finding->took_ns)
			snprintf(took, sizeof(took), "%.0f ms",
				 (double)finding->took_ns / NS_PER_MS);
		fprintf(out, "%-8s %-10s %8s  %s\n", level_names[finding->level], finding->check,
			took, finding->text);
	}
	fflush(out);
}

static json_t *to_json(const struct finding *finding)
{
	json_t *object = json_object();

	json_object_set_new(object, "check", json_string(finding->check));
	json_object_set_new(object, "target", json_string(finding->target));
	json_object_set_new(object, "level", json_string(level_names[finding->level]));
	json_object_set_new(object, "took_ms",
			    finding->took_ns ? json_real((double)finding->took_ns / NS_PER_MS)
					     : json_null());
	json_object_set_new(object, "text", json_string(finding->text));
	return object;
}

void findings_print_json(const struct findings *findings, FILE *out)
{
	json_t *object = json_object(), *array = json_array();
	cleanup_free char *text = NULL;

	for (size_t i = 0; i < findings->len; i++)
		json_array_append_new(array, to_json(&findings->items[i]));
	json_object_set_new(object, "worst", json_string(level_names[findings_worst(findings)]));
	json_object_set_new(object, "findings", array);
	text = json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	json_decref(object);
	fprintf(out, "%s\n", text ? text : "{}");
	fflush(out);
}
