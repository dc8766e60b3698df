/* SPDX-License-Identifier: MIT */
/* Slurm's nodes and partitions; see cluster.h. */
#include "cluster.h"

#include <stdlib.h>
#include <string.h>

#include "controller/backends/slurm/command.h"
#include "controller/backends/slurm/list.h"
#include "init/base/text.h"

#define MEGABYTE (UINT64_C(1) << 20)
#define NUMBER_MAX (UINT64_C(1) << 40)

enum { NODE_NAME, NODE_QUEUE, NODE_STATE, NODE_CPUS, NODE_MEMORY, NODE_ALLOCATED, NODE_GRES };
enum { NODE_GRES_USED = NODE_GRES + 1, NODE_FEATURES, NODE_REASON, NODE_FIELDS };
enum { QUEUE_NAME, QUEUE_STATE, QUEUE_TIME, QUEUE_NODES, QUEUE_CPUS, QUEUE_LIST };
#define QUEUE_FIELDS 6

/* "4/28/0/32": allocated, idle, other, total. */
static bool take_four(char *text, uint64_t ret[4])
{
	for (int i = 0; i < 4; i++) {
		char *slash = strchr(text, '/');

		if (!slash != (i == 3))
			return false;
		if (slash)
			*slash = '\0';
		if (!text_parse_uint(text, NUMBER_MAX, &ret[i]))
			return false;
		text = slash ? slash + 1 : text;
	}
	return true;
}

/* "1-02:03:04", "02:03:04", "03:04", "04"; anything else ("infinite", "n/a") is no limit: 0. */
static uint64_t parse_limit(char *text)
{
	static const uint64_t factors[] = { 1, 60, 3600 };
	uint64_t days = 0, seconds = 0, part;
	char *dash = strchr(text, '-');

	if (dash) {
		*dash = '\0';
		if (!text_parse_uint(text, 100000, &days))
			return 0;
		text = dash + 1;
	}
	for (size_t i = 0; i < ARRAY_LEN(factors); i++) {
		char *colon = strrchr(text, ':');

		if (!text_parse_uint(colon ? colon + 1 : text, 100000, &part))
			return 0;
		seconds += part * factors[i];
		if (!colon)
			return (days * 86400 + seconds) * NSEC_PER_SEC;
		*colon = '\0';
	}
	return 0;
}

/* A copy that holds nothing a terminal would act on; "" for the words that stand for nothing. */
static char *copy_text(const char *text)
{
	bool nothing = strcmp(text, "(null)") == 0 || strcmp(text, "none") == 0;
	char *copy = str_dup(nothing ? "" : text);

	text_make_printable(copy);
	return copy;
}

int slurm_next_node(struct span *text, struct node *ret)
{
	cleanup_free char *line = slurm_cut_line(text);
	char *fields[NODE_FIELDS];
	uint64_t cpus[4], memory, allocated;

	if (!line)
		return -1;
	if (!slurm_split(line, fields, NODE_FIELDS) || fields[NODE_NAME][0] == '\0' ||
	    !take_four(fields[NODE_CPUS], cpus) ||
	    !text_parse_uint(fields[NODE_MEMORY], NUMBER_MAX, &memory))
		return 0;
	if (!text_parse_uint(fields[NODE_ALLOCATED], NUMBER_MAX, &allocated))
		allocated = 0; /* "N/A" on a node that is down */
	*ret = (struct node){
		.name = copy_text(fields[NODE_NAME]),
		.queues = copy_text(fields[NODE_QUEUE]),
		.state = copy_text(fields[NODE_STATE]),
		.reason = copy_text(fields[NODE_REASON]),
		.gres = copy_text(fields[NODE_GRES]),
		.gres_used = copy_text(fields[NODE_GRES_USED]),
		.features = copy_text(fields[NODE_FEATURES]),
		.cpus = cpus[3],
		.cpus_used = cpus[0],
		.memory = memory * MEGABYTE,
		.memory_used = allocated * MEGABYTE,
	};
	return 1;
}

int slurm_next_partition(struct span *text, struct queue *ret)
{
	cleanup_free char *line = slurm_cut_line(text);
	char *fields[QUEUE_FIELDS];
	uint64_t nodes[4], cpus[4];

	if (!line)
		return -1;
	if (!slurm_split(line, fields, QUEUE_FIELDS) || fields[QUEUE_NAME][0] == '\0' ||
	    !take_four(fields[QUEUE_NODES], nodes) || !take_four(fields[QUEUE_CPUS], cpus))
		return 0;
	*ret = (struct queue){
		.name = copy_text(fields[QUEUE_NAME]),
		.state = copy_text(fields[QUEUE_STATE]),
		.node_list = copy_text(fields[QUEUE_LIST]),
		.nodes = nodes[3],
		.nodes_idle = nodes[1],
		.cpus = cpus[3],
		.cpus_used = cpus[0],
		.time_limit_ns = parse_limit(fields[QUEUE_TIME]),
	};
	return 1;
}

static int not_understood(struct err *err)
{
	return err_set(err, ERR_PROTOCOL, "sinfo printed something that is not understood");
}

int slurm_list_nodes(struct backend *backend, struct node_list *ret, struct err *err)
{
	static const char *const argv[] = { "sinfo", "--noheader", "--Node",	      "--sort=N",
					    "--all", "--Format",   SLURM_NODE_FORMAT, NULL };
	cleanup(child_finish) struct child child = { 0 };
	struct node node = { 0 };
	struct span text;
	int kind;

	if (slurm_run(backend, argv, NULL, &child, err) < 0)
		return -1;
	text = buf_span(&child.output);
	while ((kind = slurm_next_node(&text, &node)) >= 0) {
		if (kind == 1)
			node_list_take(ret, &node);
	}
	return ret->len == 0 && buf_len(&child.output) > 0 ? not_understood(err) : 0;
}

int slurm_list_queues(struct backend *backend, struct queue_list *ret, struct err *err)
{
	static const char *const argv[] = { "sinfo",	"--noheader",		"--all",
					    "--Format", SLURM_PARTITION_FORMAT, NULL };
	cleanup(child_finish) struct child child = { 0 };
	struct queue queue = { 0 };
	struct span text;
	int kind;

	if (slurm_run(backend, argv, NULL, &child, err) < 0)
		return -1;
	text = buf_span(&child.output);
	while ((kind = slurm_next_partition(&text, &queue)) >= 0) {
		if (kind == 1)
			queue_list_take(ret, &queue);
	}
	return ret->len == 0 && buf_len(&child.output) > 0 ? not_understood(err) : 0;
}

/* The value of NAME=VALUE in a line of such words, or "" where it stands for nothing. free() it. */
static char *find_word(const char *line, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = line; *p; p += strspn(p, " ")) {
		size_t word = strcspn(p, " ");

		if (word > len && memcmp(p, name, len) == 0 && p[len] == '=') {
			cleanup_free char *value = str_dup_len(p + len + 1, word - len - 1);

			return copy_text(value);
		}
		p += word;
	}
	return str_dup("");
}

int slurm_next_architecture(struct span *text, const char *queue, struct architectures *ret)
{
	cleanup_free char *line = slurm_cut_line(text);
	cleanup_free char *queues = line ? find_word(line, "Partitions") : NULL;
	cleanup_free char *word = line ? find_word(line, "Arch") : NULL;
	const struct node node = { .queues = queues };

	if (!line)
		return -1;
	if (!queue || node_is_in_queue(&node, queue))
		architectures_add(ret, word);
	return 0;
}

/* sinfo does not tell it. */
int slurm_architectures(struct backend *backend, const char *queue, struct architectures *ret,
			struct err *err)
{
	static const char *const argv[] = {
		"scontrol", "--all", "--oneliner", "show", "node", NULL
	};
	cleanup(child_finish) struct child child = { 0 };
	struct span text;

	if (slurm_run(backend, argv, NULL, &child, err) < 0)
		return -1;
	text = buf_span(&child.output);
	while (slurm_next_architecture(&text, queue, ret) == 0)
		;
	return 0;
}

static uint64_t find_time(const char *line, const char *name)
{
	cleanup_free char *text = find_word(line, name);
	uint64_t seconds;

	return text_parse_uint(text, SLURM_SECONDS_MAX, &seconds) ? seconds * NSEC_PER_SEC : 0;
}

int slurm_next_reservation(struct span *text, struct reservation *ret)
{
	static const char first[] = "ReservationName=";
	cleanup_free char *line = slurm_cut_line(text);

	if (!line)
		return -1;
	if (strncmp(line, first, strlen(first)) != 0)
		return 0;
	*ret = (struct reservation){
		.name = find_word(line, "ReservationName"),
		.state = find_word(line, "State"),
		.node_list = find_word(line, "Nodes"),
		.features = find_word(line, "Features"),
		.users = find_word(line, "Users"),
		.starts_ns = find_time(line, "StartTime"),
		.ends_ns = find_time(line, "EndTime"),
	};
	for (char *p = ret->state; *p; p++)
		*p = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;
	return 1;
}

int slurm_list_reservations(struct backend *backend, struct reservation_list *ret, struct err *err)
{
	static const char *const argv[] = { "scontrol", "--all",       "--oneliner",
					    "show",	"reservation", NULL };
	cleanup(child_finish) struct child child = { 0 };
	struct reservation reservation = { 0 };
	struct span text;
	int kind;

	if (slurm_run(backend, argv, slurm_environment, &child, err) < 0)
		return -1;
	text = buf_span(&child.output);
	while ((kind = slurm_next_reservation(&text, &reservation)) >= 0) {
		if (kind == 1)
			reservation_list_take(ret, &reservation);
	}
	return 0;
}
