/* SPDX-License-Identifier: MIT */
/* Answers of slurmrestd; see read.h. */
#include "read.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "controller/backends/slurm/submit.h"
#include "controller/backends/jobdir.h"
#include "init/base/indices.h"
#include "init/base/text.h"

#define WORD_MAX 256
#define TEXT_MAX 65536
#define MEGABYTE (UINT64_C(1) << 20)
#define NUMBER_MAX (INT64_C(1) << 40)

bool slurmrest_number(const json_t *value, uint64_t *ret)
{
	if (json_is_object(value)) {
		const json_t *set = json_object_get(value, "set");

		if (json_is_false(set) || json_is_true(json_object_get(value, "infinite")))
			return false;
		value = json_object_get(value, "number");
	}
	if (json_is_string(value))
		return text_parse_uint(json_string_value(value), INT64_MAX, ret);
	if (json_is_real(value) && json_real_value(value) >= 0 && json_real_value(value) < 9e18)
		*ret = (uint64_t)json_real_value(value);
	else if (json_is_integer(value) && json_integer_value(value) >= 0)
		*ret = (uint64_t)json_integer_value(value);
	else
		return false;
	return true;
}

/* The number of a member, or 0; at most max. */
static uint64_t number_of(const json_t *json, const char *key, uint64_t max)
{
	uint64_t number;

	return slurmrest_number(json_object_get(json, key), &number) ? MIN(number, max) : 0;
}

static void add_text(char *out, size_t size, const char *separator, const char *text)
{
	size_t len = strlen(out);

	snprintf(out + len, size - len, "%s%s", len ? separator : "", text);
}

void slurmrest_words(const json_t *value, const char *separator, char *out, size_t size)
{
	const json_t *item;
	size_t i;

	out[0] = '\0';
	if (json_is_string(value))
		add_text(out, size, separator, json_string_value(value));
	json_array_foreach(value, i, item) {
		if (json_is_string(item))
			add_text(out, size, separator, json_string_value(item));
	}
	text_make_printable(out);
}

static const json_t *at(const json_t *json, const char *first, const char *second)
{
	return json_object_get(json_object_get(json, first), second);
}

/*
 * A wait status, or what became of the process in words and numbers. Slurm has the signal of a job
 * that was killed for its memory in the same place as others.
 */
static void read_exit(const json_t *value, struct slurm_facts *facts)
{
	const json_t *signal = json_object_get(value, "signal");
	uint64_t status;

	if (json_object_get(value, "return_code") || signal) {
		facts->exit_code = number_of(value, "return_code", UINT32_MAX) & 0xff;
		facts->signal = number_of(signal, "id", 127);
		if (!facts->signal)
			facts->signal = number_of(signal, "signal_id", 127);
	} else if (slurmrest_number(value, &status)) {
		facts->exit_code = status >> 8 & 0xff;
		facts->signal = status & 0x7f;
	}
}

static bool set_id(char out[SLURM_ID_MAX], uint64_t id)
{
	snprintf(out, SLURM_ID_MAX, "%" PRIu64, id);
	return id > 0 && id <= UINT32_MAX;
}

/* A long list ends in "...": those that are not named are not told about. */
static void set_tasks(struct slurmrest_job *job, const json_t *index, const json_t *list)
{
	uint64_t task;
	char *dots;

	if (slurmrest_number(index, &task)) {
		snprintf(job->tasks, sizeof(job->tasks), "%" PRIu64, task);
		return;
	}
	slurmrest_words(list, ",", job->tasks, sizeof(job->tasks));
	dots = strstr(job->tasks, ",...");
	if (dots)
		*dots = '\0';
	if (!indices_are_valid(job->tasks))
		job->tasks[0] = '\0';
}

/* The words are those of json, which the facts borrow until they are observed. */
struct words {
	char state[WORD_MAX], reason[WORD_MAX], partition[WORD_MAX], nodes[TEXT_MAX];
};

static void observe(const json_t *json, const json_t *state, const json_t *reason,
		    struct slurm_facts *facts, struct slurmrest_job *ret)
{
	cleanup_free struct words *words = new_zero(struct words);

	slurmrest_words(state, ",", words->state, sizeof(words->state));
	slurmrest_words(reason, ",", words->reason, sizeof(words->reason));
	slurmrest_words(json_object_get(json, "partition"), ",", words->partition,
			sizeof(words->partition));
	slurmrest_words(json_object_get(json, "nodes"), ",", words->nodes, sizeof(words->nodes));
	facts->state = words->state;
	facts->reason = words->reason;
	facts->partition = words->partition;
	facts->nodes = words->nodes;
	read_exit(json_object_get(json, "exit_code"), facts);
	facts->has_restarts =
		slurmrest_number(json_object_get(json, "restart_cnt"), &facts->restarts) &&
		facts->restarts < UINT32_MAX;
	slurm_observe_facts(facts, &ret->seen);
}

bool slurmrest_read_job(const json_t *json, struct slurmrest_job *ret)
{
	uint64_t array = number_of(json, "array_job_id", UINT32_MAX);
	struct slurm_facts facts = {
		.start_s = number_of(json, "start_time", SLURM_SECONDS_MAX),
		.end_s = number_of(json, "end_time", SLURM_SECONDS_MAX),
	};

	*ret = (struct slurmrest_job){ 0 };
	if (!set_id(ret->id, array ? array : number_of(json, "job_id", INT64_MAX)))
		return false;
	if (array)
		set_tasks(ret, json_object_get(json, "array_task_id"),
			  json_object_get(json, "array_task_string"));
	observe(json, json_object_get(json, "job_state"), json_object_get(json, "state_reason"),
		&facts, ret);
	return ret->seen.native_state[0] != '\0';
}

bool slurmrest_find_input(const json_t *answer, const char *input, char ret_id[BACKEND_ID_MAX])
{
	const json_t *json;
	size_t i;

	json_array_foreach(json_object_get(answer, "jobs"), i, json) {
		const char *own = json_string_value(json_object_get(json, "standard_input"));
		uint64_t array = number_of(json, "array_job_id", UINT32_MAX);
		char id[SLURM_ID_MAX];

		if (!own || strcmp(own, input) != 0 ||
		    !set_id(id, array ? array : number_of(json, "job_id", INT64_MAX)))
			continue;
		memcpy(ret_id, id, sizeof(id));
		return true;
	}
	return false;
}

static const char *text_of(const json_t *json, const char *key)
{
	const char *text = json_string_value(json_object_get(json, key));

	return text ? text : "";
}

void slurmrest_locate_jobs(const json_t *answer, const char *user, const char *input,
			   struct job_list *ret)
{
	cleanup_free struct slurmrest_job *job = new_zero(struct slurmrest_job);
	const json_t *json;
	size_t i;

	json_array_foreach(json_object_get(answer, "jobs"), i, json) {
		cleanup_free char *in = str_dup(text_of(json, "standard_input"));
		struct located located = { .path = text_of(json, "command"),
					   .file = JOBDIR_SCRIPT,
					   .name = text_of(json, "name") };

		if (strcmp(text_of(json, "user_name"), user) != 0 || !slurmrest_read_job(json, job))
			continue;
		located.native_id = job->id;
		located.native_state = job->seen.native_state;
		located.state = job->seen.state;
		jobdir_add_located(&located, ret);
		slurm_undo_pattern(in);
		located.path = in;
		located.file = input;
		jobdir_add_located(&located, ret);
	}
}

bool slurmrest_read_account(const json_t *json, struct slurmrest_job *ret)
{
	uint64_t array = number_of(json_object_get(json, "array"), "job_id", UINT32_MAX);
	const json_t *time = json_object_get(json, "time");
	struct slurm_facts facts = {
		.start_s = number_of(time, "start", SLURM_SECONDS_MAX),
		.end_s = number_of(time, "end", SLURM_SECONDS_MAX),
	};

	*ret = (struct slurmrest_job){ 0 };
	if (!set_id(ret->id, array ? array : number_of(json, "job_id", INT64_MAX)))
		return false;
	if (array)
		set_tasks(ret, at(json, "array", "task_id"), at(json, "array", "task"));
	observe(json, at(json, "state", "current"), at(json, "state", "reason"), &facts, ret);
	return ret->seen.native_state[0] != '\0';
}

static char *take_words(const json_t *value, const char *separator)
{
	cleanup_free char *text = alloc_zero(1, TEXT_MAX);

	slurmrest_words(value, separator, text, TEXT_MAX);
	return str_dup(text);
}

static void lower(char *text)
{
	for (; *text; text++) {
		if (*text >= 'A' && *text <= 'Z')
			*text = (char)(*text - 'A' + 'a');
	}
}

/* As sinfo has it: "idle+drain". */
static char *take_state(const json_t *node)
{
	cleanup_free char *state = take_words(json_object_get(node, "state"), "+");
	cleanup_free char *flags = take_words(json_object_get(node, "state_flags"), "+");
	char *all = str_printf("%s%s%s", state, state[0] && flags[0] ? "+" : "", flags);

	lower(all);
	return all;
}

void slurmrest_read_nodes(const json_t *answer, struct node_list *ret)
{
	const json_t *json;
	size_t i;

	json_array_foreach(json_object_get(answer, "nodes"), i, json) {
		struct node node = {
			.name = take_words(json_object_get(json, "name"), ","),
			.queues = take_words(json_object_get(json, "partitions"), ","),
			.state = take_state(json),
			.reason = take_words(json_object_get(json, "reason"), " "),
			.gres = take_words(json_object_get(json, "gres"), ","),
			.gres_used = take_words(json_object_get(json, "gres_used"), ","),
			.features = take_words(json_object_get(json, "features"), ","),
			.architecture = take_words(json_object_get(json, "architecture"), ","),
			.cpus = number_of(json, "cpus", NUMBER_MAX),
			.cpus_used = number_of(json, "alloc_cpus", NUMBER_MAX),
			.memory = number_of(json, "real_memory", NUMBER_MAX) * MEGABYTE,
			.memory_used = number_of(json, "alloc_memory", NUMBER_MAX) * MEGABYTE,
		};

		if (node.name[0])
			node_list_take(ret, &node);
		else
			node_finish(&node);
	}
}

static void count_nodes(struct queue *queue, const struct node_list *nodes)
{
	for (size_t i = 0; i < nodes->len; i++) {
		const struct node *node = &nodes->items[i];

		if (!node_is_in_queue(node, queue->name))
			continue;
		queue->nodes_idle += strcmp(node->state, "idle") == 0;
		queue->cpus_used += node->cpus_used;
	}
}

/* A member of v0.0.38, or its place since then. */
static const json_t *either(const json_t *json, const char *old, const char *first,
			    const char *second)
{
	const json_t *value = at(json, first, second);

	return value ? value : json_object_get(json, old);
}

static uint64_t either_number(const json_t *json, const char *old, const char *first,
			      const char *second)
{
	uint64_t number;

	return slurmrest_number(either(json, old, first, second), &number)
		       ? MIN(number, (uint64_t)NUMBER_MAX)
		       : 0;
}

void slurmrest_read_queues(const json_t *answer, const struct node_list *nodes,
			   struct queue_list *ret)
{
	const json_t *json;
	size_t i;

	json_array_foreach(json_object_get(answer, "partitions"), i, json) {
		uint64_t minutes = either_number(json, "max_time_limit", "maximums", "time");
		struct queue queue = {
			.name = take_words(json_object_get(json, "name"), ","),
			.state = take_words(either(json, "state", "partition", "state"), "+"),
			.node_list = take_words(either(json, "nodes", "nodes", "configured"), ","),
			.nodes = either_number(json, "total_nodes", "nodes", "total"),
			.cpus = either_number(json, "total_cpus", "cpus", "total"),
			.time_limit_ns = MIN(minutes, UINT64_C(100000000)) * 60 * NSEC_PER_SEC,
		};

		lower(queue.state);
		count_nodes(&queue, nodes);
		if (queue.name[0])
			queue_list_take(ret, &queue);
		else
			queue_finish(&queue);
	}
}

void slurmrest_read_reservations(const json_t *answer, struct reservation_list *ret)
{
	const json_t *json;
	size_t i;

	json_array_foreach(json_object_get(answer, "reservations"), i, json) {
		struct reservation reservation = {
			.name = take_words(json_object_get(json, "name"), ","),
			.state = str_dup(""), /* it does not tell */
			.node_list = take_words(json_object_get(json, "node_list"), ","),
			.features = take_words(json_object_get(json, "features"), ","),
			.users = take_words(json_object_get(json, "users"), ","),
			.starts_ns =
				number_of(json, "start_time", SLURM_SECONDS_MAX) * NSEC_PER_SEC,
			.ends_ns = number_of(json, "end_time", SLURM_SECONDS_MAX) * NSEC_PER_SEC,
		};

		if (reservation.name[0])
			reservation_list_take(ret, &reservation);
		else
			reservation_finish(&reservation);
	}
}

void slurmrest_complaint(const json_t *answer, char *out, size_t size)
{
	const json_t *first = json_array_get(json_object_get(answer, "errors"), 0);
	char error[WORD_MAX], description[WORD_MAX];

	slurmrest_words(json_object_get(first, "error"), " ", error, sizeof(error));
	slurmrest_words(json_object_get(first, "description"), " ", description,
			sizeof(description));
	if (strcmp(error, "Unspecified error") == 0)
		error[0] = '\0';
	snprintf(out, size, "%s%s%s", error, error[0] && description[0] ? ": " : "", description);
}
