/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What is done to the tasks of a job. A Swarm ends tasks and does nothing else to them: for the
 * rest the engine is asked on whose node their containers are, when that is the one that we talk
 * to; else ERR_UNSUPPORTED names the node.
 */

#include "controller/backends/swarm/observe.h"

/*
 * Ends all tasks of a job, wherever they are: SIGTERM, and SIGKILL after their time. Their logs
 * stay. A job that is gone is success.
 */
int swarm_end(struct swarm *swarm, const struct job *job, struct err *err) attr_must_use;

/* To berth-init of each task (`only` of the job: of those) that runs; it passes that on. */
int swarm_signal(struct swarm *swarm, const struct job *job, const char *signal, struct err *err)
	attr_must_use;

/* The container of a rank that runs, of the engine's own; free() it. */
int swarm_find_container(struct swarm *swarm, const struct job *job, uint64_t rank, char **ret,
			 struct err *err) attr_must_use;

/* As backend_ops.carry: docker_carry() to the tunnel's own port, whatever the node publishes. */
int swarm_carry(struct swarm *swarm, const struct job *job, uint64_t rank,
		const struct backend_carry *carry, struct err *err) attr_must_use;

/* As backend_ops.deliver: into the tasks that run. Secrets never change. */
int swarm_deliver(struct swarm *swarm, const struct job *job, const char *name, struct err *err)
	attr_must_use;
