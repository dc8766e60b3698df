/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What jobs run on: nodes, and the queues (partitions) that lead to them. Plain data; strings are
 * never NULL in a member that was added with the functions below.
 */

#include <stdbool.h>
#include <stdint.h>

#include "init/base/cleanup.h"
#include "init/base/macro.h"

/* A cluster of the configuration. */
struct cluster {
	const char *name;
	const char *backend;
	const char *login;		      /* or "" */
	const char *platform, *machine, *url; /* as configured, or "" */
	const char *architecture;	      /* the same */
	bool is_current;		      /* jobs go there unless something else is said */
};

struct cluster_list {
	struct cluster *items; /* whose texts are borrowed */
	size_t len;
};

void cluster_list_finish(struct cluster_list *list);
DEFINE_CLEANUP_VALUE(struct cluster_list, cluster_list_finish)
void cluster_list_add(struct cluster_list *list, const struct cluster *cluster);

struct node {
	char *name;
	char *queues; /* separated by commas */
	char *state;  /* the scheduler's own word */
	char *reason; /* why it is not available, or "" */
	char *gres;   /* GPUs and such, in the scheduler's words, or "" */
	char *gres_used;
	char *features;	    /* separated by commas, or "" */
	char *architecture; /* in words of its own, or "" where nobody tells */
	uint64_t cpus, cpus_used;
	uint64_t memory, memory_used; /* bytes */
};

struct node_list {
	struct node *items;
	size_t len;
};

/*
 * Whether the scheduler gives jobs to it at all: it is not down, drained, reserved for repair or
 * silent. It may be full.
 */
bool node_is_usable(const struct node *node);

/* Whether it can be had through this queue. */
bool node_is_in_queue(const struct node *node, const char *queue);

void node_finish(struct node *node);
DEFINE_CLEANUP_VALUE(struct node, node_finish)
void node_list_finish(struct node_list *list);
DEFINE_CLEANUP_VALUE(struct node_list, node_list_finish)

/*
 * Moves the node to the end of the list; *node is all-zero afterwards. When the last one has the
 * same name, only the queue is added to that: schedulers tell a node once for each queue. Without
 * an architecture (NULL) nobody tells it.
 */
void node_list_take(struct node_list *list, struct node *node);

struct queue {
	char *name;
	char *state; /* "up", ... */
	char *node_list;
	uint64_t nodes, nodes_idle;
	uint64_t cpus, cpus_used;
	uint64_t time_limit_ns; /* 0: none */
};

struct queue_list {
	struct queue *items;
	size_t len;
};

void queue_finish(struct queue *queue);
DEFINE_CLEANUP_VALUE(struct queue, queue_finish)
void queue_list_finish(struct queue_list *list);
DEFINE_CLEANUP_VALUE(struct queue_list, queue_list_finish)
void queue_list_take(struct queue_list *list, struct queue *queue);
