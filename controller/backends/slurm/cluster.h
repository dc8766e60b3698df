/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Slurm's nodes and partitions, by sinfo: its lists have the same format on every Slurm. What it
 * prints is read line by line; a line that is not understood is passed over.
 */

#include "controller/backends/backend.h"
#include "init/base/span.h"

/* The reason comes last: it may hold a '|'. A node has a line for each of its partitions. */
#define SLURM_NODE_FORMAT                                                                    \
	"NodeList:|,PartitionName:|,StateComplete:|,CPUsState:|,Memory:|,AllocMem:|,Gres:|," \
	"GresUsed:|,Features:|,Reason:"
#define SLURM_PARTITION_FORMAT "PartitionName:|,Available:|,Time:|,NodeAIOT:|,CPUsState:|,NodeList:"

/* Each takes the next line from *text. 1: *ret is one; 0: a line that is not; -1: no line left. */
int slurm_next_node(struct span *text, struct node *ret);
int slurm_next_partition(struct span *text, struct queue *ret);

/*
 * One line of `scontrol --oneliner show reservation`, with times in seconds: 1, 0 for one that is
 * no reservation, -1 at the end of the text.
 */
int slurm_next_reservation(struct span *text, struct reservation *ret) attr_must_use;

int slurm_list_reservations(struct backend *backend, struct reservation_list *ret, struct err *err)
	attr_must_use;

/*
 * Adds what the next line of `scontrol --oneliner show node` says, if that is a node of this queue
 * (NULL: of any). -1 at the end of the text.
 */
int slurm_next_architecture(struct span *text, const char *queue, struct architectures *ret);

/* backend_ops.architectures, .list_nodes and .list_queues. */
int slurm_architectures(struct backend *backend, const char *queue, struct architectures *ret,
			struct err *err) attr_must_use;
int slurm_list_nodes(struct backend *backend, struct node_list *ret, struct err *err) attr_must_use;
int slurm_list_queues(struct backend *backend, struct queue_list *ret, struct err *err)
	attr_must_use;
