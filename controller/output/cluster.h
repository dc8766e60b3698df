/* SPDX-License-Identifier: MIT */
#pragma once

/* Clusters, nodes and queues as text: tables for people, values and names for programs. */

#include <jansson.h>

#include "controller/model/cluster.h"
#include "controller/output/output.h"

int output_nodes(const struct node_list *nodes, const struct output *output, struct err *err)
	attr_must_use;
int output_clusters(const struct cluster_list *clusters, const struct output *output,
		    struct err *err) attr_must_use;
int output_queues(const struct queue_list *queues, const struct output *output, struct err *err)
	attr_must_use;

/* A cluster as json has it; to be released. */
json_t *output_cluster_value(const struct cluster *cluster);

/* A node as json has it; to be released. */
json_t *output_node_value(const struct node *node);

/* Everything that is known about each, line by line, for people. */
int output_describe_nodes(const struct node_list *nodes, const struct output *output,
			  struct err *err) attr_must_use;
int output_describe_queues(const struct queue_list *queues, const struct output *output,
			   struct err *err) attr_must_use;
