/* SPDX-License-Identifier: MIT */
#pragma once

/* The nodes of a Swarm, and what each has. */

#include "controller/backends/backend.h"
#include "controller/backends/docker/engine.h"

/* As backend_ops.list_nodes. */
int swarm_list_nodes(struct engine *engine, struct node_list *ret, struct err *err) attr_must_use;

/* Appends a node as the Swarm describes it. Pure. */
void swarm_read_node(const json_t *json, struct node_list *ret);
