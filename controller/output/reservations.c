/* SPDX-License-Identifier: MIT */
/* Reservations as text; see reservations.h. */
#include "reservations.h"

#include "controller/model/json.h"
#include "controller/output/describe.h"
#include "controller/output/table.h"
#include "controller/output/value.h"

#define TO_THE_MINUTE 16 /* of "2026-11-21 19:47:11 +0000 (in 5m)" */

static const struct column columns[] = {
	{ "RESERVATION" },
	{ "STATE" },
	{ "STARTS" },
	{ "ENDS" },
	{ "NODE-LIST", .may_be_cut = true },
	{ "USERS", .may_be_cut = true },
	{ "FEATURES", .wide_only = true, .may_be_cut = true },
};

static void add_moment(struct table *table, uint64_t ns, const struct output *output)
{
	char text[OUTPUT_MOMENT_SIZE];

	output_format_moment(ns, output->now_ns, text);
	table_add(table, "%.*s", TO_THE_MINUTE, text);
}

static void print_table(const struct reservation_list *list, const struct output *output)
{
	cleanup(table_finish) struct table table = { 0 };

	table_init(&table, columns, ARRAY_LEN(columns), output);
	for (size_t i = 0; i < list->len; i++) {
		const struct reservation *reservation = &list->items[i];

		table_add_text(&table, reservation->name);
		table_add_text(&table, reservation->state);
		add_moment(&table, reservation->starts_ns, output);
		add_moment(&table, reservation->ends_ns, output);
		table_add_text(&table, reservation->node_list);
		table_add_text(&table, reservation->users);
		table_add_text(&table, reservation->features);
	}
	table_print(&table, output);
}

json_t *output_reservation_value(const struct reservation *reservation)
{
	json_t *object = json_object();

	json_object_set_new(object, "name", value_text(reservation->name));
	json_object_set_new(object, "state", value_optional(reservation->state));
	json_object_set_new(object, "starts", value_time(reservation->starts_ns));
	json_object_set_new(object, "ends", value_time(reservation->ends_ns));
	json_object_set_new(object, "node_list", value_optional(reservation->node_list));
	json_object_set_new(object, "features", value_optional(reservation->features));
	json_object_set_new(object, "users", value_optional(reservation->users));
	return object;
}

int output_reservations(const struct reservation_list *list, const struct output *output,
			struct err *err)
{
	cleanup(json_release) json_t *array = json_array();

	if (output->format == OUTPUT_NAME) {
		for (size_t i = 0; i < list->len; i++)
			fprintf(output->out, "%s\n", list->items[i].name);
	} else if (output->format == OUTPUT_TABLE || output->format == OUTPUT_WIDE) {
		print_table(list, output);
	} else {
		for (size_t i = 0; i < list->len; i++)
			json_array_append_new(array, output_reservation_value(&list->items[i]));
		value_print(array, output);
	}
	return output_end(output, err);
}
