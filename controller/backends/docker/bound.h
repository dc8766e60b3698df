/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The job directory of a container as a directory of this machine, `container` in the job's own,
 * which is bound into it: what is put there before the start, and what the job says there, costs
 * the engine no archive call, of which each takes longer than to start the container.
 *
 * It is done where what is in there stays whose it is: the engine is here, runs what it runs with
 * users that we know, and the container's is one whose files we may make. Its directory has mode
 * 0700 and is the container's user's; the one around it is ours alone. The kernel protects both
 * from whom it protects the container's own files, and what `docker commit` makes of a container
 * has nothing of it.
 *
 * A container does there as it likes: links are not followed, and what is no file is not opened.
 */

#include "controller/backends/docker/files.h"

/*
 * Whose files have to be for a container that runs as this user of its configuration ("UID[:GID]"):
 * 1: *ret; 0: that cannot be, or is not known; -1: the engine does not answer.
 */
int bound_owner(struct engine *engine, const char *user, struct owner *ret, struct err *err)
	attr_must_use;

/* Where it is, in this job directory. free() it. */
char *bound_path(const char *dir);
bool bound_exists(const char *dir);

/* Makes it, with all files of the job directory. What was there before goes. */
int bound_make(const char *dir, const struct owner *owner, struct err *err) attr_must_use;
int bound_remove(const char *dir, struct err *err) attr_must_use;

/* Brings in this file of the job directory, atomically, for whoever has the others. */
int bound_put(const char *dir, const char *name, struct err *err) attr_must_use;

/*
 * A file of at most DOCKER_FILE_MAX bytes. ERR_NOT_FOUND; ERR_DENIED: it is the container's user's
 * alone, and an archive call gets it.
 */
int bound_get(const char *dir, const char *name, struct buf *ret, struct err *err) attr_must_use;
