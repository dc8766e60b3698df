/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * berth's programs in a volume, for an engine that does not see this machine's files. The volume is
 * called after their digest and filled once. While it is being filled there is a container beside
 * it, which never runs: one that is left over tells that the filling died, and it is done again.
 */

#include "controller/backends/docker/files.h"

#define DOCKER_BUNDLE_MAX (256 * 1024 * 1024)

/* Its files in an archive that is unpacked elsewhere; below: "" or a path that ends with a slash. */
int docker_add_bundle(struct buf *archive, const char *bundle, const char *below,
		      const struct owner *owner, struct err *err) attr_must_use;

/* bundle: the directory here. image: any that the engine has. *ret_name: the volume; free() it. */
int docker_fill_volume(struct engine *engine, const char *bundle, const char *image,
		       char **ret_name, struct err *err) attr_must_use;

/* Removes those that no container uses. */
int docker_collect_volumes(struct engine *engine, struct err *err) attr_must_use;

/* The same of volumes that are memory of a job's, which a Swarm makes and leaves. */
int docker_collect_memory(struct engine *engine, struct err *err) attr_must_use;
