/* SPDX-License-Identifier: MIT */
/* Nodes; see nodes.h. */
#include "nodes.h"

#include <inttypes.h>
#include <string.h>

#include "controller/backends/swarm/lists.h"
#include "init/base/alloc.h"
#include "init/base/text.h"

#define NANO UINT64_C(1000000000)
#define WORDS_MAX 4096

static uint64_t number_of(const json_t *object, const char *key)
{
	json_int_t number = json_integer_value(json_object_get(object, key));

	return number > 0 ? (uint64_t)number : 0;
}

static char *take_words(struct buf *words)
{
	char *text = buf_take_str(words);

	text_make_printable(text);
	return text;
}

/* "KIND:3,OTHER:1"; what is named one by one counts one each. */
static char *read_generic(const json_t *list)
{
	cleanup(buf_finish) struct buf words = BUF_INIT(WORDS_MAX);
	cleanup(json_release) json_t *sums = json_object();
	const json_t *item;
	const char *kind;
	bool ok = true;
	size_t i;

	json_array_foreach(list, i, item) {
		const json_t *some = json_object_get(item, "DiscreteResourceSpec");
		const json_t *one = json_object_get(item, "NamedResourceSpec");
		const char *name = swarm_text(some ? some : one, "Kind");
		uint64_t count = some ? number_of(some, "Value") : 1;

		if (name[0])
			json_object_set_new(sums, name,
					    json_integer((json_int_t)(number_of(sums, name) +
								      count % INT32_MAX)));
	}
	json_object_foreach(sums, kind, item)
		ok = ok && buf_printf(&words, "%s%s:%" PRIu64, buf_len(&words) ? "," : "", kind,
				      number_of(sums, kind));
	return take_words(&words);
}

/* "disk=ssd,zone=a" */
static char *read_labels(const json_t *labels)
{
	cleanup(buf_finish) struct buf words = BUF_INIT(WORDS_MAX);
	const char *key;
	json_t *value;
	bool ok = true;

	json_object_foreach((json_t *)(uintptr_t)labels, key, value)
		ok = ok && buf_printf(&words, "%s%s=%s", buf_len(&words) ? "," : "", key,
				      json_string_value(value) ? json_string_value(value) : "");
	return take_words(&words);
}

static const char *state_of(const json_t *json)
{
	const char *availability = swarm_text(json_object_get(json, "Spec"), "Availability");

	if (strcmp(swarm_text(json_object_get(json, "Status"), "State"), "ready") != 0)
		return "down";
	return strcmp(availability, "active") == 0 ? "up" : "drained";
}

static char *copy_text(const char *text)
{
	char *copy = str_dup(text);

	text_make_printable(copy);
	return copy;
}

void swarm_read_node(const json_t *json, struct node_list *ret)
{
	const json_t *description = json_object_get(json, "Description");
	const json_t *resources = json_object_get(description, "Resources");
	cleanup(node_finish) struct node node = { 0 };

	if (swarm_text(description, "Hostname")[0] == '\0')
		return;
	node = (struct node){
		.name = copy_text(swarm_text(description, "Hostname")),
		.queues = str_dup(""),
		.state = str_dup(state_of(json)),
		.reason = copy_text(swarm_text(json_object_get(json, "Status"), "Message")),
		.gres = read_generic(json_object_get(resources, "GenericResources")),
		.gres_used = str_dup(""),
		.architecture = copy_text(
			swarm_text(json_object_get(description, "Platform"), "Architecture")),
		.features = read_labels(json_object_get(json_object_get(json, "Spec"), "Labels")),
		.cpus = number_of(resources, "NanoCPUs") / NANO,
		.memory = number_of(resources, "MemoryBytes"),
	};
	node_list_take(ret, &node);
}

/* What is kept there for tasks that are to run, in thousandths of a CPU. */
static void add_use(const json_t *tasks, const char *id, struct node *node)
{
	const json_t *task;
	uint64_t nano = 0;
	size_t i;

	json_array_foreach(tasks, i, task) {
		const json_t *kept =
			json_object_get(json_object_get(json_object_get(task, "Spec"), "Resources"),
					"Reservations");

		if (strcmp(swarm_text(task, "NodeID"), id) != 0)
			continue;
		nano += number_of(kept, "NanoCPUs") % (INT32_MAX * NANO);
		node->memory_used += number_of(kept, "MemoryBytes");
	}
	node->cpus_used = (nano + NANO - 1) / NANO;
}

int swarm_list_nodes(struct engine *engine, struct node_list *ret, struct err *err)
{
	cleanup(json_release) json_t *nodes = NULL;
	cleanup(json_release) json_t *tasks = NULL;
	const json_t *json;
	size_t i;

	if (swarm_list(engine, "nodes", NULL, NULL, &nodes, err) < 0 ||
	    swarm_list(engine, "tasks", "desired-state", "running", &tasks, err) < 0)
		return -1;
	json_array_foreach(nodes, i, json) {
		size_t before = ret->len;

		swarm_read_node(json, ret);
		if (ret->len > before)
			add_use(tasks, swarm_text(json, "ID"), &ret->items[ret->len - 1]);
	}
	return 0;
}
