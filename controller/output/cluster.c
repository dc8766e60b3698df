/* SPDX-License-Identifier: MIT */
/* Nodes and queues as text; see cluster.h. */
#include "cluster.h"

#include <inttypes.h>
#include <string.h>

#include "controller/model/gpus.h"
#include "controller/model/json.h"
#include "controller/output/runs.h"
#include "controller/output/table.h"
#include "controller/output/value.h"
#include "init/base/text.h"

#define GIGABYTE (UINT64_C(1) << 30)

static const struct column node_columns[] = {
	{ "NODE" },
	{ "STATE" },
	{ "QUEUES", .may_be_cut = true },
	{ "CPUS" },
	{ "FREE" },
	{ "MEMORY" },
	{ "GRES", .may_be_cut = true },
	{ "REASON", .may_be_cut = true },
};

static const struct column queue_columns[] = {
	{ "QUEUE" }, { "STATE" }, { "NODES" }, { "IDLE" },
	{ "CPUS" },  { "FREE" },  { "LIMIT" }, { "NODE-LIST", .may_be_cut = true },
};

static const struct column cluster_columns[] = {
	{ "CURRENT" },
	{ "CLUSTER" },
	{ "BACKEND" },
	{ "LOGIN", .may_be_cut = true },
	{ "PLATFORM", .wide_only = true },
	{ "SYSTEM", .wide_only = true },
	{ "ADDRESS", .wide_only = true },
	{ "ARCHITECTURE", .wide_only = true },
};

static void print_node_table(const struct node_list *nodes, const struct output *output)
{
	cleanup(table_finish) struct table table = { 0 };

	table_init(&table, node_columns, ARRAY_LEN(node_columns), output);
	for (size_t i = 0; i < nodes->len; i++) {
		const struct node *node = &nodes->items[i];

		table_add_text(&table, node->name);
		table_add_text(&table, node->state);
		table_add_text(&table, node->queues);
		table_add(&table, "%" PRIu64, node->cpus);
		table_add(&table, "%" PRIu64, node->cpus - MIN(node->cpus, node->cpus_used));
		table_add(&table, "%.1fG", (double)node->memory / (double)GIGABYTE);
		table_add_text(&table, node->gres);
		table_add_text(&table, node->reason);
	}
	table_print(&table, output);
}

static json_t *number(uint64_t value)
{
	return json_integer((json_int_t)value);
}

json_t *output_node_value(const struct node *node)
{
	struct gpus gpus = { 0 };
	json_t *object = json_object();

	json_object_set_new(object, "name", value_text(node->name));
	json_object_set_new(object, "state", value_text(node->state));
	json_object_set_new(object, "queues", value_text(node->queues));
	json_object_set_new(object, "cpus", number(node->cpus));
	json_object_set_new(object, "cpus_used", number(node->cpus_used));
	json_object_set_new(object, "memory", number(node->memory));
	json_object_set_new(object, "memory_used", number(node->memory_used));
	gpus_add(&gpus, node->gres, node->gres_used, true);
	json_object_set_new(object, "gpus", number(gpus_sum(&gpus, NULL).total));
	json_object_set_new(object, "gpus_used", number(gpus_sum(&gpus, NULL).used));
	json_object_set_new(object, "gres", value_optional(node->gres));
	json_object_set_new(object, "gres_used", value_optional(node->gres_used));
	json_object_set_new(object, "features", value_optional(node->features));
	json_object_set_new(object, "architecture", value_optional(node->architecture));
	json_object_set_new(object, "reason", value_optional(node->reason));
	return object;
}

int output_nodes(const struct node_list *nodes, const struct output *output, struct err *err)
{
	cleanup(json_release) json_t *array = json_array();

	if (output->format == OUTPUT_NAME) {
		for (size_t i = 0; i < nodes->len; i++)
			fprintf(output->out, "%s\n", nodes->items[i].name);
	} else if (output->format == OUTPUT_TABLE || output->format == OUTPUT_WIDE) {
		print_node_table(nodes, output);
	} else {
		for (size_t i = 0; i < nodes->len; i++)
			json_array_append_new(array, output_node_value(&nodes->items[i]));
		value_print(array, output);
	}
	return output_end(output, err);
}

static void print_queue_table(const struct queue_list *queues, const struct output *output)
{
	cleanup(table_finish) struct table table = { 0 };

	table_init(&table, queue_columns, ARRAY_LEN(queue_columns), output);
	for (size_t i = 0; i < queues->len; i++) {
		const struct queue *queue = &queues->items[i];
		char limit[32] = "";

		if (queue->time_limit_ns)
			text_format_duration(queue->time_limit_ns, limit, sizeof(limit));
		table_add_text(&table, queue->name);
		table_add_text(&table, queue->state);
		table_add(&table, "%" PRIu64, queue->nodes);
		table_add(&table, "%" PRIu64, queue->nodes_idle);
		table_add(&table, "%" PRIu64, queue->cpus);
		table_add(&table, "%" PRIu64, queue->cpus - MIN(queue->cpus, queue->cpus_used));
		table_add_text(&table, limit);
		table_add_text(&table, queue->node_list);
	}
	table_print(&table, output);
}

static json_t *queue_value(const struct queue *queue)
{
	json_t *object = json_object();

	json_object_set_new(object, "name", value_text(queue->name));
	json_object_set_new(object, "state", value_text(queue->state));
	json_object_set_new(object, "nodes", number(queue->nodes));
	json_object_set_new(object, "nodes_idle", number(queue->nodes_idle));
	json_object_set_new(object, "cpus", number(queue->cpus));
	json_object_set_new(object, "cpus_used", number(queue->cpus_used));
	json_object_set_new(object, "time_limit",
			    queue->time_limit_ns ? number(queue->time_limit_ns / NSEC_PER_SEC)
						 : json_null());
	json_object_set_new(object, "node_list", value_optional(queue->node_list));
	return object;
}

int output_queues(const struct queue_list *queues, const struct output *output, struct err *err)
{
	cleanup(json_release) json_t *array = json_array();

	if (output->format == OUTPUT_NAME) {
		for (size_t i = 0; i < queues->len; i++)
			fprintf(output->out, "%s\n", queues->items[i].name);
	} else if (output->format == OUTPUT_TABLE || output->format == OUTPUT_WIDE) {
		print_queue_table(queues, output);
	} else {
		for (size_t i = 0; i < queues->len; i++)
			json_array_append_new(array, queue_value(&queues->items[i]));
		value_print(array, output);
	}
	return output_end(output, err);
}

static void print_cluster_table(const struct cluster_list *clusters, const struct output *output)
{
	cleanup(table_finish) struct table table = { 0 };

	table_init(&table, cluster_columns, ARRAY_LEN(cluster_columns), output);
	for (size_t i = 0; i < clusters->len; i++) {
		table_add_text(&table, clusters->items[i].is_current ? "*" : "");
		table_add_text(&table, clusters->items[i].name);
		table_add_text(&table, clusters->items[i].backend);
		table_add_text(&table, clusters->items[i].login);
		table_add_text(&table, clusters->items[i].platform);
		table_add_text(&table, clusters->items[i].machine);
		table_add_text(&table, clusters->items[i].url);
		table_add_text(&table, clusters->items[i].architecture);
	}
	table_print(&table, output);
}

json_t *output_cluster_value(const struct cluster *cluster)
{
	json_t *object = json_object();

	json_object_set_new(object, "name", value_text(cluster->name));
	json_object_set_new(object, "backend", value_text(cluster->backend));
	json_object_set_new(object, "login", value_optional(cluster->login));
	json_object_set_new(object, "platform", value_optional(cluster->platform));
	json_object_set_new(object, "system", value_optional(cluster->machine));
	json_object_set_new(object, "url", value_optional(cluster->url));
	json_object_set_new(object, "architecture", value_optional(cluster->architecture));
	json_object_set_new(object, "current", json_boolean(cluster->is_current));
	return object;
}

int output_clusters(const struct cluster_list *clusters, const struct output *output,
		    struct err *err)
{
	cleanup(json_release) json_t *array = json_array();

	if (output->format == OUTPUT_NAME) {
		for (size_t i = 0; i < clusters->len; i++)
			fprintf(output->out, "%s\n", clusters->items[i].name);
	} else if (output->format == OUTPUT_TABLE || output->format == OUTPUT_WIDE) {
		print_cluster_table(clusters, output);
	} else {
		for (size_t i = 0; i < clusters->len; i++)
			json_array_append_new(array, output_cluster_value(&clusters->items[i]));
		value_print(array, output);
	}
	return output_end(output, err);
}

/* "Memory used:   1.5G": the members of a value for programs, in words for people. */
static void describe(const json_t *object, const struct output *output)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)object, key, value) {
		uint64_t amount = (uint64_t)json_integer_value(value);
		char title[32], text[TABLE_CELL_MAX] = "";

		snprintf(title, sizeof(title), "%c%s:", key[0] - 'a' + 'A', key + 1);
		for (char *p = title; *p; p++)
			*p = *p == '_' || *p == '-' ? ' ' : *p;
		if (json_is_string(value))
			snprintf(text, sizeof(text), "%s", json_string_value(value));
		else if (strncmp(key, "memory", strlen("memory")) == 0)
			output_format_size(amount, text, sizeof(text));
		else if (strcmp(key, "time_limit") == 0 && amount)
			text_format_duration(amount * NSEC_PER_SEC, text, sizeof(text));
		else if (json_is_integer(value))
			snprintf(text, sizeof(text), "%" PRIu64, amount);
		table_make_safe(text);
		if (text[0] != '\0')
			fprintf(output->out, "%-13s %s\n", title, text);
	}
}

int output_describe_nodes(const struct node_list *nodes, const struct output *output,
			  struct err *err)
{
	for (size_t i = 0; i < nodes->len; i++) {
		cleanup(json_release) json_t *value = output_node_value(&nodes->items[i]);

		if (i > 0)
			fputc('\n', output->out);
		describe(value, output);
	}
	return output_end(output, err);
}

int output_describe_queues(const struct queue_list *queues, const struct output *output,
			   struct err *err)
{
	for (size_t i = 0; i < queues->len; i++) {
		cleanup(json_release) json_t *value = queue_value(&queues->items[i]);

		if (i > 0)
			fputc('\n', output->out);
		describe(value, output);
	}
	return output_end(output, err);
}
