/* SPDX-License-Identifier: MIT */
/* Findings as text; see findings.h. */
#include "findings.h"

#include <inttypes.h>

#include "controller/model/json.h"
#include "controller/output/table.h"
#include "controller/output/value.h"
#include "init/base/alloc.h"

static void print_line(const struct finding *finding, const struct output *output)
{
	cleanup_free char *text = str_dup(finding->text);
	char took[32] = "-";

	table_make_safe(text);
	if (finding->took_ms >= 0)
		snprintf(took, sizeof(took), "%" PRId64 " ms", finding->took_ms);
	fprintf(output->out, "%-8s %-13s %8s  %s\n", finding_level_word(finding->level),
		finding->check, took, text);
}

int output_findings(const struct finding_list *list, const struct output *output, struct err *err)
{
	cleanup(json_release) json_t *array = json_array();

	for (size_t i = 0; i < list->len; i++) {
		if (output->format == OUTPUT_NAME)
			fprintf(output->out, "%s\n", list->items[i].check);
		else if (output->format == OUTPUT_TABLE || output->format == OUTPUT_WIDE)
			print_line(&list->items[i], output);
		else
			json_array_append_new(array, finding_json(&list->items[i]));
	}
	if (json_array_size(array) > 0)
		value_print(array, output);
	return output_end(output, err);
}
