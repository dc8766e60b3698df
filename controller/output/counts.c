/* SPDX-License-Identifier: MIT */
/* Numbers of jobs as text; see counts.h. */
#include "counts.h"

#include <inttypes.h>

#include "controller/model/json.h"
#include "controller/output/table.h"
#include "controller/output/value.h"

static const struct column known[] = {
	[JOB_COUNT_STATE] = { "STATE", .is_state = true },
	[JOB_COUNT_QUEUE] = { "QUEUE" },
	[JOB_COUNT_USER] = { "USER" },
	[JOB_COUNT_BACKEND] = { "BACKEND" },
};

static void print_table(const struct job_counts *counts, const struct output *output)
{
	cleanup(table_finish) struct table table = { 0 };
	struct column columns[JOB_COUNT_KEYS_MAX + 1];

	for (size_t i = 0; i < counts->keys_len; i++)
		columns[i] = known[counts->keys[i]];
	columns[counts->keys_len] = (struct column){ "JOBS" };
	table_init(&table, columns, counts->keys_len + 1, output);
	for (size_t i = 0; i < counts->len; i++) {
		for (size_t key = 0; key < counts->keys_len; key++)
			table_add(&table, "%s",
				  job_count_value(&counts->items[i], counts->keys[key]));
		table_add(&table, "%" PRIu64, counts->items[i].count);
	}
	table_print(&table, output);
}

static void print_values(const struct job_counts *counts, const struct output *output)
{
	cleanup(json_release) json_t *array = json_array();

	for (size_t i = 0; i < counts->len; i++) {
		json_t *object = json_object();

		for (size_t key = 0; key < counts->keys_len; key++) {
			enum job_count_key which = counts->keys[key];

			json_object_set_new(
				object, job_count_key_word(which),
				value_optional(job_count_value(&counts->items[i], which)));
		}
		json_object_set_new(object, "jobs",
				    json_integer((json_int_t)counts->items[i].count));
		json_array_append_new(array, object);
	}
	value_print(array, output);
}

int output_counts(const struct job_counts *counts, const struct output *output, struct err *err)
{
	switch (output->format) {
	case OUTPUT_TABLE:
	case OUTPUT_WIDE:
		print_table(counts, output);
		break;
	case OUTPUT_JSON:
	case OUTPUT_YAML:
	case OUTPUT_CSV:
		print_values(counts, output);
		break;
	case OUTPUT_NAME:
		return err_set(err, ERR_INVALID, "--output: counts have no names");
	}
	return output_end(output, err);
}
