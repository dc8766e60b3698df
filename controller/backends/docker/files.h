/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Files of a container, by the engine's archive calls: they work on one that has not started, that
 * runs, or that has ended, on whatever machine it is, and as whom ever it runs. The job directory
 * is DOCKER_JOB_DIR in there; what a job's is here is the place where it is made, and where copies
 * of what it says are kept. Where the two can share a directory, there are no calls (bound.h).
 */

#include "controller/backends/docker/engine.h"
#include "controller/model/container.h"

#define DOCKER_JOB_DIR CONTAINER_JOB_DIR
#define DOCKER_BUNDLE CONTAINER_BUNDLE
#define DOCKER_FILE_MAX (1024 * 1024)
#define DOCKER_FILES_MAX (32 * 1024 * 1024)

/* Whom files in a container belong to. */
struct owner {
	uid_t uid;
	gid_t gid;
};

/*
 * Who "UID[:GID]" of a container's configuration is ("", or NULL: root). Names are looked up in the
 * container's own /etc/passwd and /etc/group. ERR_NOT_FOUND.
 */
int docker_find_owner(struct engine *engine, const char *id, const char *user, struct owner *ret,
		      struct err *err) attr_must_use;

/* The same where it is numbers; false: there is a name in it. */
bool docker_read_owner(const char *user, struct owner *ret) attr_must_use;

/* The number of a name in a file of passwd(5) or group(5). False: it is not there. */
bool docker_read_number(struct span file, const char *name, uint64_t *ret) attr_must_use;

/* All files of this directory here, or the one of this name. */
int docker_put_job_files(struct engine *engine, const char *id, const char *dir, const char *name,
			 const struct owner *owner, struct err *err) attr_must_use;

/* Any archive, below this directory of the container. */
int docker_put_archive(struct engine *engine, const char *id, const char *below,
		       struct span archive, struct err *err) attr_must_use;

/* A file of the job directory, at most DOCKER_FILE_MAX bytes, out of an archive; ERR_NOT_FOUND. */
int docker_get_job_file(struct engine *engine, const char *id, const char *name, struct buf *ret,
			struct err *err) attr_must_use;

/*
 * Keeps a copy of a file of the container's job directory, at most DOCKER_FILE_MAX bytes, in the
 * job directory here. ERR_NOT_FOUND.
 */
int docker_fetch_job_file(struct engine *engine, const char *id, const char *dir, const char *name,
			  struct err *err) attr_must_use;
