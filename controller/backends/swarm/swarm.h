/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Jobs that are services of a Docker Swarm, of which any manager is asked. It shares the engine's
 * API, images, logs and containers with backends/docker; what differs is that the Swarm chooses the
 * nodes: files come by Secrets and Configs, and what an engine says of containers, it says of its
 * own alone. What needs a task's container (exec, signals, files of the job) works where that is on
 * the node that is asked, and says else on which it is.
 *
 * The service stays when its tasks have ended, with their logs, until the job is collected.
 */

#include "controller/backends/backend.h"

/* site is NULL. */
int swarm_backend_open(const struct backend_settings *settings, struct site *site,
		       struct backend **ret, struct err *err) attr_must_use;
