/* SPDX-License-Identifier: MIT */
/* Connections as text; see connections.h. */
#include "connections.h"

#include <inttypes.h>

#include "controller/model/json.h"
#include "controller/output/runs.h"
#include "controller/output/table.h"
#include "controller/output/value.h"
#include "init/base/text.h"

static const struct column columns[] = {
	{ "JOB" },   { "RANK" }, { "PATH" }, { "REMOTE", .may_be_cut = true },
	{ "RTT" },   { "LOSS" }, { "SENT" }, { "RECEIVED" },
	{ "HEARD" }, { "AGE" },	 { "PID" },
};

static void add_size(struct table *table, uint64_t bytes)
{
	char text[32];

	output_format_size(bytes, text, sizeof(text));
	table_add_text(table, text);
}

static void add_since(struct table *table, uint64_t then_ns, const struct output *output)
{
	uint64_t seconds = output->now_ns > then_ns ? (output->now_ns - then_ns) / NSEC_PER_SEC : 0;
	char text[32];

	text_format_duration(seconds * NSEC_PER_SEC, text, sizeof(text));
	table_add_text(table, text);
}

static double loss_of(const struct connection *c)
{
	return c->packets_sent ? 100.0 * (double)c->packets_lost / (double)c->packets_sent : 0;
}

static void print_table(const struct connection_list *list, const struct output *output)
{
	cleanup(table_finish) struct table table = { 0 };

	table_init(&table, columns, ARRAY_LEN(columns), output);
	for (size_t i = 0; i < list->len; i++) {
		const struct connection *c = &list->items[i];

		table_add_text(&table, c->job);
		table_add(&table, "%" PRIu64, c->rank);
		table_add_text(&table, c->path);
		table_add_text(&table, c->remote);
		table_add(&table, "%.1fms", (double)c->rtt_us / 1000);
		table_add(&table, "%.1f%%", loss_of(c));
		add_size(&table, c->bytes_sent);
		add_size(&table, c->bytes_received);
		add_since(&table, c->heard_ns, output);
		add_since(&table, c->since_ns, output);
		table_add(&table, "%" PRIu64, c->pid);
	}
	table_print(&table, output);
}

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

static json_t *value_of(const struct connection *c)
{
	json_t *object = json_object();

	json_object_set_new(object, "job", value_text(c->job));
	json_object_set_new(object, "rank", number(c->rank));
	json_object_set_new(object, "path", value_text(c->path));
	json_object_set_new(object, "remote", value_text(c->remote));
	json_object_set_new(object, "rtt_us", number(c->rtt_us));
	json_object_set_new(object, "packets_sent", number(c->packets_sent));
	json_object_set_new(object, "packets_lost", number(c->packets_lost));
	json_object_set_new(object, "bytes_sent", number(c->bytes_sent));
	json_object_set_new(object, "bytes_received", number(c->bytes_received));
	json_object_set_new(object, "heard", value_time(c->heard_ns));
	json_object_set_new(object, "since", value_time(c->since_ns));
	json_object_set_new(object, "pid", number(c->pid));
	return object;
}

int output_connections(const struct connection_list *list, const struct output *output,
		       struct err *err)
{
	cleanup(json_release) json_t *array = json_array();

	if (output->format == OUTPUT_NAME) {
		for (size_t i = 0; i < list->len; i++)
			fprintf(output->out, "%s\n", list->items[i].job);
	} else if (output->format == OUTPUT_TABLE || output->format == OUTPUT_WIDE) {
		print_table(list, output);
	} else {
		for (size_t i = 0; i < list->len; i++)
			json_array_append_new(array, value_of(&list->items[i]));
		value_print(array, output);
	}
	return output_end(output, err);
}
