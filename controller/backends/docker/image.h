/* SPDX-License-Identifier: MIT */
#pragma once

/* Images: what one says of itself, and how it is fetched. */

#include "controller/backends/docker/engine.h"

/*
 * The configuration of an image (its "Config": Entrypoint, Cmd, User, ...), fetched before as pull
 * says: "always", "never", or "missing", which is also NULL. Fetching shows its progress in the log
 * and takes credentials from the files of Docker's and Podman's clients. ERR_NOT_FOUND.
 */
int image_find(struct engine *engine, const char *reference, const char *pull, json_t **ret,
	       struct err *err) attr_must_use;

/*
 * A line of what the engine says while it fetches: 1: *ret_done counts a layer that is there, 0:
 * nothing of interest, -1: it failed, and *err says why.
 */
int image_read_progress(struct span line, struct err *err);
