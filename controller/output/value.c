/* SPDX-License-Identifier: MIT */
/* Values for programs; see value.h. */
#include "value.h"

#include <string.h>
#include <time.h>

#include "controller/model/json.h"
#include "controller/output/schema_members.h"
#include "controller/output/table.h"
#include "init/base/alloc.h"
#include "init/base/buf.h"
#include "init/base/text.h"

#define TEXT_MAX (1024 * 1024)
#define DEPTH_MAX 16

json_t *value_time(uint64_t ns)
{
	time_t seconds = (time_t)(ns / NSEC_PER_SEC);
	struct tm tm = { 0 };
	char text[40];
	size_t len;

	if (ns == 0 || !gmtime_r(&seconds, &tm))
		return json_null();
	len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + len, sizeof(text) - len, ".%03uZ",
		 (unsigned int)(ns % NSEC_PER_SEC / NSEC_PER_MSEC));
	return json_string(text);
}

json_t *value_text(const char *s)
{
	json_t *plain = json_string(s);
	cleanup(buf_finish) struct buf escaped = BUF_INIT(TEXT_MAX);

	if (plain)
		return plain;
	if (!buf_append_u8(&escaped, '"') || !text_append_json(&escaped, s) ||
	    !buf_append_u8(&escaped, '"'))
		return json_null();
	return json_loadb(buf_str(&escaped), buf_len(&escaped), JSON_DECODE_ANY, NULL);
}

json_t *value_optional(const char *s)
{
	return s[0] ? value_text(s) : json_null();
}

/* YAML 1.2 reads JSON's scalars as they are; only C1 controls have to be escaped besides. */
static void print_scalar(const json_t *value, FILE *out)
{
	json_dumpf(value, out, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
}

static bool is_block(const json_t *value)
{
	return (json_is_object(value) && json_object_size(value) > 0) ||
	       (json_is_array(value) && json_array_size(value) > 0);
}

static void print_yaml(const json_t *value, int depth, FILE *out);

/* What stands behind "key:" or "-": a scalar on the same line, a block on those below. */
static void print_yaml_member(const json_t *value, int depth, FILE *out)
{
	if (is_block(value) && depth < DEPTH_MAX) {
		fputc('\n', out);
		print_yaml(value, depth + 1, out);
		return;
	}
	fputc(' ', out);
	print_scalar(value, out);
	fputc('\n', out);
}

/* Our own keys are plain words. */
static void print_yaml(const json_t *value, int depth, FILE *out)
{
	const char *key;
	json_t *member;
	size_t i;

	json_array_foreach(value, i, member) {
		fprintf(out, "%*s-", 2 * depth, "");
		print_yaml_member(member, depth, out);
	}
	json_object_foreach((json_t *)(uintptr_t)value, key, member) {
		fprintf(out, "%*s%s:", 2 * depth, "", key);
		print_yaml_member(member, depth, out);
	}
}

static void print_csv_field(const json_t *value, FILE *out)
{
	cleanup_free char *text = json_is_string(value)
					  ? str_dup(json_string_value(value))
					  : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

	if (!text || json_is_null(value))
		return;
	table_make_lines_safe(text);
	if (text[strcspn(text, "\",\n")] == '\0') {
		fputs(text, out);
		return;
	}
	fputc('"', out);
	for (const char *p = text; *p; p++) {
		if (*p == '"')
			fputc('"', out);
		fputc(*p, out);
	}
	fputc('"', out);
}

/* Of an empty list, too, whoever reads it wants to know what it would have. */
static void print_csv_titles(const json_t *first, const struct output *output)
{
	const struct listed *listed = schema_listed;
	const char *comma = "", *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)first, key, value) {
		fprintf(output->out, "%s%s", comma, key);
		comma = ",";
	}
	while (listed->name && (first || !output->list || strcmp(listed->name, output->list) != 0))
		listed++;
	for (const struct member *member = listed->members; member && member->name; member++) {
		if (member->need == MEMBER_OPTIONAL)
			continue;
		fprintf(output->out, "%s%s", comma, member->name);
		comma = ",";
	}
	if (comma[0])
		fputc('\n', output->out);
}

static void print_csv(const json_t *array, const struct output *output)
{
	json_t *first = json_array_get(array, 0), *object, *value;
	const char *key;
	size_t i;
	bool comma;

	if (!output->no_headers)
		print_csv_titles(first, output);
	json_array_foreach(array, i, object) {
		comma = false;
		json_object_foreach(first, key, value) {
			if (comma)
				fputc(',', output->out);
			print_csv_field(json_object_get(object, key), output->out);
			comma = true;
		}
		fputc('\n', output->out);
	}
}

void value_print(const json_t *array, const struct output *output)
{
	if (output->format == OUTPUT_CSV) {
		print_csv(array, output);
	} else if (output->format == OUTPUT_YAML && is_block(array)) {
		print_yaml(array, 0, output->out);
	} else {
		json_dumpf(array, output->out, JSON_INDENT(2));
		fputc('\n', output->out);
	}
}
