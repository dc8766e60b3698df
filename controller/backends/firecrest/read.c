/* SPDX-License-Identifier: MIT */
/* Answers of FirecREST; see read.h. */
#include "read.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "controller/firecrest/client.h"
#include "init/base/indices.h"
#include "controller/model/job_slurm.h"
#include "init/base/text.h"

#define WORD_MAX FIRECREST_WORD_MAX
#define TEXT_MAX 65536
#define MEGABYTE (UINT64_C(1) << 20)
#define NUMBER_MAX (UINT64_C(1) << 40)
#define PBS_SIGNAL 256
#define PBS_NOT_RUN 126 /* as a shell says it of what cannot be run */
/* Of its statuses below 0: a limit on CPU time, or on time, was exceeded (JOB_EXEC_KILL_...). */
#define PBS_CPU_TIME (-28)
#define PBS_WALLTIME (-29)

static void add_text(char *out, size_t size, const char *separator, const char *text)
{
	size_t len = strlen(out);

	snprintf(out + len, size - len, "%s%s", len ? separator : "", text);
	text_make_printable(out);
}

const json_t *firecrest_find_system(const json_t *answer, const char *name)
{
	const json_t *machine;
	size_t i;

	json_array_foreach(json_object_get(answer, "systems"), i, machine) {
		if (strcasecmp(firecrest_text(machine, "name"), name) == 0)
			return machine;
	}
	return NULL;
}

void firecrest_system_names(const json_t *answer, char *out, size_t size)
{
	const json_t *machine;
	size_t i;

	out[0] = '\0';
	json_array_foreach(json_object_get(answer, "systems"), i, machine)
		add_text(out, size, ", ", firecrest_text(machine, "name"));
}

const char *firecrest_scheduler(const json_t *machine)
{
	return firecrest_text(json_object_get(machine, "scheduler"), "type");
}

size_t firecrest_direct_max(const json_t *machine)
{
	const json_t *operation = json_object_get(machine, "dataOperation");
	uint64_t max = firecrest_number(operation, "max_ops_file_size", NUMBER_MAX);

	/* Members of its other objects are written like this one. */
	if (!max)
		max = firecrest_number(operation, "maxOpsFileSize", NUMBER_MAX);
	return max ? (size_t)max : FIRECREST_DIRECT_MAX;
}

static bool is_wanted(const json_t *place, const char *type, bool by_default)
{
	const char *is = firecrest_text(place, "dataType");

	if (type)
		return strcmp(is, type) == 0;
	return by_default ? json_is_true(json_object_get(place, "defaultWorkDir"))
			  : strcmp(is, "scratch") == 0;
}

char *firecrest_own_directory(const json_t *machine, const char *type, const char *user)
{
	/* Scratch wins over the default: that is often the home, with a quota. */
	for (int by_default = 0; by_default < 2; by_default++) {
		const json_t *place;
		size_t i;

		json_array_foreach(json_object_get(machine, "fileSystems"), i, place) {
			const char *path = firecrest_text(place, "path");

			if (path[0] == '/' && is_wanted(place, type, by_default))
				return str_printf("%s/%s", path[1] ? path : "", user);
		}
	}
	return NULL;
}

bool firecrest_read_health(const json_t *machine, char *out, size_t size)
{
	const json_t *service;
	bool well = true;
	size_t i;

	out[0] = '\0';
	json_array_foreach(json_object_get(machine, "servicesHealth"), i, service) {
		const char *path = firecrest_text(service, "path");
		bool is_well = json_is_true(json_object_get(service, "healthy"));
		cleanup_free char *word = str_printf(
			"%s%s%s", path[0] ? path : firecrest_text(service, "serviceType"),
			is_well ? "" : " is not well: ",
			is_well ? "" : firecrest_text(service, "message"));

		add_text(out, size, ", ", word);
		well = well && is_well;
	}
	return well;
}

void firecrest_read_user(const json_t *answer, char *out, size_t size)
{
	const json_t *account;
	size_t i;

	out[0] = '\0';
	add_text(out, size, "", firecrest_text(json_object_get(answer, "user"), "name"));
	json_array_foreach(json_object_get(answer, "accounts"), i, account) {
		cleanup_free char *word = str_printf(
			"%s%s%s", i == 0 ? "accounts " : "", firecrest_text(account, "name"),
			json_is_true(json_object_get(account, "default")) ? " (default)" : "");

		add_text(out, size, ", ", word);
	}
}

/* "7", "7_3" and "7_[4-9%2]" of Slurm, "7.server" and "7[]" of PBS. */
static bool set_id(const char *text, struct firecrest_job *ret)
{
	size_t digits = strspn(text, "0123456789");
	const char *tasks = text + digits;
	size_t len;

	if (digits == 0 || strlen(text) >= sizeof(ret->id))
		return false;
	if (*tasks != '_') {
		snprintf(ret->id, sizeof(ret->id), "%s", text);
		text_make_printable(ret->id);
		return true;
	}
	memcpy(ret->id, text, digits);
	ret->id[digits] = '\0';
	tasks++;
	if (*tasks == '[')
		tasks++;
	len = strcspn(tasks, "]");
	if (len >= sizeof(ret->tasks))
		return false;
	memcpy(ret->tasks, tasks, len);
	ret->tasks[len] = '\0';
	return indices_are_valid(ret->tasks);
}

enum job_state firecrest_pbs_state(const char *word, uint64_t exit_status)
{
	static const struct {
		char letter;
		enum job_state state;
	} letters[] = {
		{ 'Q', JOB_QUEUED },	{ 'H', JOB_QUEUED },  { 'W', JOB_QUEUED },
		{ 'T', JOB_QUEUED },	{ 'B', JOB_RUNNING }, { 'R', JOB_RUNNING },
		{ 'E', JOB_RUNNING },	{ 'S', JOB_RUNNING }, { 'U', JOB_RUNNING },
		{ 'M', JOB_CANCELLED }, /* another server has it */
	};

	for (size_t i = 0; i < ARRAY_LEN(letters); i++) {
		if (word[0] == letters[i].letter)
			return letters[i].state;
	}
	if (!strchr("CFX", word[0]))
		return JOB_UNKNOWN;
	return exit_status == 0 ? JOB_SUCCEEDED : JOB_FAILED;
}

static bool is_pbs(const char *state)
{
	return state[0] && !state[1];
}

/*
 * One that ended without having begun was deleted while it waited. A status below 0 is PBS's own
 * (JOB_EXEC_...): the job could not be run.
 */
static void observe_pbs(const struct slurm_facts *facts, uint64_t exit_status,
			struct observation *ret)
{
	struct slurm_facts own = *facts;

	if (exit_status >= PBS_SIGNAL) {
		own.exit_code = 0;
		own.signal = (exit_status - PBS_SIGNAL) & 0x7f;
	}
	ret->state = firecrest_pbs_state(facts->state, exit_status);
	own.state = job_state_word(ret->state);
	if (ret->state == JOB_SUCCEEDED)
		own.state = "COMPLETED";
	slurm_observe_facts(&own, ret);
	ret->state = facts->state[0] == 'F' && !facts->start_s && exit_status == 0
			     ? JOB_CANCELLED
			     : firecrest_pbs_state(facts->state, exit_status);
	snprintf(ret->native_state, sizeof(ret->native_state), "%s", facts->state);
}

/* Texts that the facts borrow until they are observed. */
struct words {
	char state[WORD_MAX], reason[WORD_MAX], partition[WORD_MAX], nodes[TEXT_MAX];
};

static void take_words(const json_t *json, struct words *words)
{
	const json_t *status = json_object_get(json, "status");

	firecrest_words(json_object_get(status, "state"), ",", words->state, sizeof(words->state));
	firecrest_words(json_object_get(status, "stateReason"), ",", words->reason,
			sizeof(words->reason));
	firecrest_words(json_object_get(json, "partition"), ",", words->partition,
			sizeof(words->partition));
	firecrest_words(json_object_get(json, "nodes"), ",", words->nodes, sizeof(words->nodes));
}

bool firecrest_read_job(const json_t *json, struct firecrest_job *ret)
{
	const json_t *status = json_object_get(json, "status");
	const json_t *time = json_object_get(json, "time");
	cleanup_free struct words *words = new_zero(struct words);
	uint64_t exit_status = firecrest_number(status, "exitCode", UINT32_MAX);
	json_int_t own = json_integer_value(json_object_get(status, "exitCode"));
	struct slurm_facts facts = {
		.state = words->state,
		.reason = words->reason,
		.partition = words->partition,
		.nodes = words->nodes,
		.start_s = firecrest_number(time, "start", SLURM_SECONDS_MAX),
		.end_s = firecrest_number(time, "end", SLURM_SECONDS_MAX),
		.exit_code = exit_status & 0xff,
		.signal = firecrest_number(status, "interruptSignal", 127),
	};
	const json_t *id = json_object_get(json, "jobId");
	cleanup_free char *number =
		json_is_integer(id) ? str_printf("%lld", json_integer_value(id)) : NULL;

	/* Slurm has none below 0. */
	if (own < 0)
		exit_status = facts.exit_code = PBS_NOT_RUN;
	*ret = (struct firecrest_job){ 0 };
	if (!set_id(number ? number : firecrest_text(json, "jobId"), ret))
		return false;
	take_words(json, words);
	if (is_pbs(words->state))
		observe_pbs(&facts, exit_status, &ret->seen);
	else
		slurm_observe_facts(&facts, &ret->seen);
	if (is_pbs(words->state) && (own == PBS_WALLTIME || own == PBS_CPU_TIME)) {
		ret->seen.state = JOB_TIMEOUT;
		ret->seen.exit_code = JOB_NO_EXIT_CODE;
	}
	return ret->seen.native_state[0] != '\0';
}

static char *take_text(const json_t *value, const char *separator)
{
	cleanup_free char *text = alloc_zero(1, TEXT_MAX);

	firecrest_words(value, separator, text, TEXT_MAX);
	return str_dup(text);
}

static void lower(char *text)
{
	for (; *text; text++) {
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text - 'A' + 'a');
	}
}

/* FirecREST hands on what the scheduler counts in: bytes of PBS, MiB of Slurm. */
static uint64_t memory_of(const json_t *json, const char *key, bool is_pbs)
{
	return is_pbs ? firecrest_number(json, key, NUMBER_MAX * MEGABYTE)
		      : firecrest_number(json, key, NUMBER_MAX) * MEGABYTE;
}

void firecrest_read_nodes(const json_t *answer, bool is_pbs, struct node_list *ret)
{
	const json_t *json;
	size_t i;

	json_array_foreach(json_object_get(answer, "nodes"), i, json) {
		uint64_t used = memory_of(json, "allocMemory", is_pbs);
		struct node node = {
			.name = take_text(json_object_get(json, "name"), ","),
			.queues = take_text(json_object_get(json, "partitions"), ","),
			.state = take_text(json_object_get(json, "state"), "+"),
			.reason = str_dup(""),
			.gres = str_dup(""),
			.cpus = firecrest_number(json, "cpus", NUMBER_MAX),
			.cpus_used = firecrest_number(json, "allocCpus", NUMBER_MAX),
			.memory_used = used,
			/* What is free of PBS is what the node has. */
			.memory = memory_of(json, "freeMemory", is_pbs) + (is_pbs ? 0 : used),
		};

		lower(node.state);
		if (node.name[0])
			node_list_take(ret, &node);
		else
			node_finish(&node);
	}
}

static bool leads_to(const char *queue, const struct node *node)
{
	size_t len = strlen(queue);

	for (const char *name = node->queues; *name; name += strspn(name, ",")) {
		size_t name_len = strcspn(name, ",");

		if (name_len == len && memcmp(name, queue, len) == 0)
			return true;
		name += name_len;
	}
	return false;
}

static void count_nodes(struct queue *queue, const struct node_list *nodes)
{
	char names[BACKEND_NODES_MAX] = "";

	for (size_t i = 0; i < nodes->len; i++) {
		const struct node *node = &nodes->items[i];

		if (!leads_to(queue->name, node))
			continue;
		queue->nodes_idle += strcmp(node->state, "idle") == 0;
		queue->cpus_used += node->cpus_used;
		if (strlen(names) + strlen(node->name) + 2 < sizeof(names))
			add_text(names, sizeof(names), ",", node->name);
	}
	free(queue->node_list);
	queue->node_list = str_dup(names);
}

void firecrest_read_queues(const json_t *answer, const struct node_list *nodes,
			   struct queue_list *ret)
{
	const json_t *json;
	size_t i;

	json_array_foreach(json_object_get(answer, "partitions"), i, json) {
		struct queue queue = {
			.name = take_text(json_object_get(json, "name"), ","),
			.state = take_text(json_object_get(json, "partition"), "+"),
			.node_list = str_dup(""),
			.nodes = firecrest_number(json, "totalNodes", NUMBER_MAX),
			.cpus = firecrest_number(json, "cpus", NUMBER_MAX),
		};

		lower(queue.state);
		count_nodes(&queue, nodes);
		if (queue.name[0])
			queue_list_take(ret, &queue);
		else
			queue_finish(&queue);
	}
}

void firecrest_read_reservations(const json_t *answer, struct reservation_list *ret)
{
	const json_t *json;
	size_t i;

	json_array_foreach(json_object_get(answer, "reservations"), i, json) {
		uint64_t start = firecrest_number(json, "startTime", SLURM_SECONDS_MAX);
		uint64_t end = firecrest_number(json, "endTime", SLURM_SECONDS_MAX);
		struct reservation reservation = {
			.name = take_text(json_object_get(json, "name"), ","),
			.state = take_text(json_object_get(json, "state"), "+"),
			.node_list = take_text(json_object_get(json, "nodeList"), ","),
			.features = take_text(json_object_get(json, "features"), ","),
			.users = str_dup(""),
			.starts_ns = start * NSEC_PER_SEC,
			.ends_ns = end * NSEC_PER_SEC,
		};

		lower(reservation.state);
		if (reservation.name[0])
			reservation_list_take(ret, &reservation);
		else
			reservation_finish(&reservation);
	}
}
