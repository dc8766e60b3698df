/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Where the tunnel of a task listens: on a port that its node publishes for it, which the Swarm
 * tells, at the node's address. A task that has its node's network publishes none: where its
 * container is one of the engine's own, the file that the tunnel wrote tells; else it is the port
 * that was agreed upon (jobdir_port()), unless another task there was faster.
 */

#include "controller/backends/swarm/observe.h"

/*
 * Pure; task: as the Swarm has it. False: it does not run yet, or its address is not known. host:
 * the node's name, address: its own.
 */
bool swarm_format_endpoint(const json_t *task, const char *host, const char *address,
			   const struct job *job, unsigned int rank, struct buf *ret) attr_must_use;

/* As backend_ops.endpoint. */
int swarm_endpoint(struct swarm *swarm, const struct job *job, unsigned int rank, char **ret,
		   struct err *err) attr_must_use;
