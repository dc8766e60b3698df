/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Jobs that are containers of a Docker or Podman engine, here or elsewhere. A job is a container
 * called berth-UID, with labels that say whose it is; berth-init is its first process. Its job
 * directory is in the container (files.h): nothing of it has to be readable for whoever the
 * container runs as, and an engine on another machine is no different. berth's programs are bound
 * into it from the machine's own bundle, or, where the engine does not see that, from a volume
 * that is filled once a version.
 *
 * The container stays when it has ended, with its log, until the job is collected.
 */

#include "controller/backends/backend.h"

/* site is NULL. */
int docker_backend_open(const struct backend_settings *settings, struct site *site,
			struct backend **ret, struct err *err) attr_must_use;
