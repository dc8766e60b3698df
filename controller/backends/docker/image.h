/* SPDX-License-Identifier: MIT */
#pragma once

/* Images: what one says of itself, and how it is fetched. */

#include "controller/backends/backend.h"
#include "controller/backends/docker/engine.h"

/*
 * The configuration of the job's image (its "Config": Entrypoint, Cmd, User, ...), fetched before
 * as spec.pull says: "always", "never", or "missing", which is also NULL. How far it is, is told as
 * the submission says, or in the log. Credentials are those of Docker's and Podman's clients.
 * ERR_NOT_FOUND.
 */
int image_find(struct engine *engine, const struct submission *submission, json_t **ret,
	       struct err *err) attr_must_use;
