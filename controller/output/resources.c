/* SPDX-License-Identifier: MIT */
/* Resources as text; see resources.h. */
#include "resources.h"

#include <inttypes.h>

#include "controller/model/json.h"
#include "controller/output/cluster.h"
#include "controller/output/runs.h"
#include "controller/output/table.h"
#include "controller/output/value.h"

#define TOTAL "(all)"

static const struct column resource_columns[] = {
	{ "QUEUE" },	   { "NODES" },
	{ "IDLE" },	   { "CPUS" },
	{ "USED" },	   { "FREE" },
	{ "MEMORY" },	   { "MEMORY-USED" },
	{ "MEMORY-FREE" }, { "GPUS-FREE/ALL", .may_be_cut = true },
};

static const struct column fit_columns[] = {
	{ "NODE" },
	{ "FITS" },
	{ "CPUS-FREE/ALL" },
	{ "MEMORY-FREE/ALL" },
	{ "GPUS-FREE/ALL", .may_be_cut = true },
	{ "STATE" },
	{ "QUEUES", .may_be_cut = true },
	{ "FEATURES", .wide_only = true },
	{ "REASON", .wide_only = true },
};

static const char *const fit_words[] = {
	[FIT_NOW] = "now",
	[FIT_LATER] = "later",
	[FIT_OUT_OF_ORDER] = "out-of-order",
	[FIT_NEVER] = "never",
};

static void add_size(struct table *table, uint64_t bytes)
{
	char text[32];

	output_format_size(bytes, text, sizeof(text));
	table_add_text(table, text[0] ? text : "0");
}

static void print_table(const struct resource_list *resources, const struct output *output)
{
	cleanup(table_finish) struct table table = { 0 };
	char gpus[GPUS_TEXT_SIZE];

	table_init(&table, resource_columns, ARRAY_LEN(resource_columns), output);
	for (size_t i = 0; i < resources->len; i++) {
		const struct resource *resource = &resources->items[i];

		table_add_text(&table, resource->queue ? resource->queue : TOTAL);
		table_add(&table, "%" PRIu64, resource->nodes.total);
		table_add(&table, "%" PRIu64, resource->nodes.free);
		table_add(&table, "%" PRIu64, resource->cpus.total);
		table_add(&table, "%" PRIu64, resource->cpus.used);
		table_add(&table, "%" PRIu64, resource->cpus.free);
		add_size(&table, resource->memory.total);
		add_size(&table, resource->memory.used);
		add_size(&table, resource->memory.free);
		gpus_format(&resource->gpus, gpus);
		table_add_text(&table, gpus);
	}
	table_print(&table, output);
}

/* "cpus", "cpus_used", "cpus_free". */
static void set_amount(json_t *object, const char *name, uint64_t total, uint64_t used,
		       uint64_t free)
{
	cleanup_free char *used_name = str_printf("%s_used", name);
	cleanup_free char *free_name = str_printf("%s_free", name);

	json_object_set_new(object, name, json_integer((json_int_t)total));
	json_object_set_new(object, used_name, json_integer((json_int_t)used));
	json_object_set_new(object, free_name, json_integer((json_int_t)free));
}

static json_t *gpu_types(const struct gpus *gpus)
{
	json_t *array = json_array();

	for (size_t i = 0; i < gpus->len; i++) {
		const struct gpu_type *type = &gpus->items[i];
		json_t *object = json_object();

		json_object_set_new(object, "type", value_optional(type->name));
		set_amount(object, "gpus", type->total, type->used, type->free);
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *resource_value(const struct resource *resource)
{
	const struct gpu_type gpus = gpus_sum(&resource->gpus, NULL);
	json_t *object = json_object();

	json_object_set_new(object, "queue",
			    resource->queue ? value_text(resource->queue) : json_null());
	json_object_set_new(object, "nodes", json_integer((json_int_t)resource->nodes.total));
	json_object_set_new(object, "nodes_used", json_integer((json_int_t)resource->nodes.used));
	json_object_set_new(object, "nodes_idle", json_integer((json_int_t)resource->nodes.free));
	set_amount(object, "cpus", resource->cpus.total, resource->cpus.used, resource->cpus.free);
	set_amount(object, "memory", resource->memory.total, resource->memory.used,
		   resource->memory.free);
	set_amount(object, "gpus", gpus.total, gpus.used, gpus.free);
	json_object_set_new(object, "gpu_types", gpu_types(&resource->gpus));
	return object;
}

int output_resources(const struct resource_list *resources, const struct output *output,
		     struct err *err)
{
	cleanup(json_release) json_t *array = json_array();

	if (output->format == OUTPUT_TABLE || output->format == OUTPUT_WIDE) {
		print_table(resources, output);
		return output_end(output, err);
	}
	for (size_t i = 0; i < resources->len; i++) {
		const struct resource *resource = &resources->items[i];

		if (output->format != OUTPUT_NAME)
			json_array_append_new(array, resource_value(resource));
		else if (resource->queue)
			fprintf(output->out, "%s\n", resource->queue);
	}
	if (output->format != OUTPUT_NAME)
		value_print(array, output);
	return output_end(output, err);
}

static void add_fit(struct table *table, const struct node *node, enum node_fit fit)
{
	char free_memory[32], memory[32], text[GPUS_TEXT_SIZE];
	struct gpus gpus = { 0 };

	output_format_size(fit_measure(node, FIT_MEMORY, NULL, false), free_memory,
			   sizeof(free_memory));
	output_format_size(node->memory, memory, sizeof(memory));
	gpus_add(&gpus, node->gres, node->gres_used, true);
	gpus_format(&gpus, text);
	table_add_text(table, node->name);
	table_add_text(table, fit_words[fit]);
	table_add(table, "%" PRIu64 "/%" PRIu64, fit_measure(node, FIT_CPUS, NULL, false),
		  node->cpus);
	table_add(table, "%s/%s", free_memory[0] ? free_memory : "0", memory[0] ? memory : "0");
	table_add_text(table, text);
	table_add_text(table, node->state);
	table_add_text(table, node->queues);
	table_add_text(table, node->features);
	table_add_text(table, node->reason);
}

int output_fits(const struct node_list *nodes, const enum node_fit *fits,
		const struct output *output, struct err *err)
{
	cleanup(table_finish) struct table table = { 0 };
	cleanup(json_release) json_t *array = json_array();
	bool is_table = output->format == OUTPUT_TABLE || output->format == OUTPUT_WIDE;

	if (output->format == OUTPUT_NAME)
		return output_nodes(nodes, output, err);
	table_init(&table, fit_columns, ARRAY_LEN(fit_columns), output);
	for (size_t i = 0; i < nodes->len; i++) {
		json_t *value;

		if (is_table) {
			add_fit(&table, &nodes->items[i], fits[i]);
			continue;
		}
		value = output_node_value(&nodes->items[i]);
		json_object_set_new(value, "fits", json_string(fit_words[fits[i]]));
		json_array_append_new(array, value);
	}
	if (is_table)
		table_print(&table, output);
	else
		value_print(array, output);
	return output_end(output, err);
}
