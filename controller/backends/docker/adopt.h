/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The tunnel in a container that berth did not start. All of it is in one directory there, called
 * .berth-UID: bundle/ with berth's programs, job/ with what a job directory has. It is copied to
 * the container's root by the archive call; where that is read-only, to a place that is not (/run,
 * /tmp, ...), with the shell and tar of the image. Programs run as the container's user.
 *
 * berth-init, started by the engine's exec, keeps the tunnel up; its command does nothing. It is
 * the first process of nothing, and all that it started ends with it. What is asked of the files
 * later is asked through the bundle's busybox, so that the image needs nothing.
 *
 * A container that was started again has the files and no tunnel: docker_adopted_endpoint() starts
 * it anew.
 */

#include "controller/backends/backend.h"
#include "controller/backends/docker/engine.h"

/* Each as the member of backend_ops. */
int docker_find_foreign(struct engine *engine, const char *name, struct job *ret, struct err *err)
	attr_must_use;
int docker_adopt(struct engine *engine, const struct submission *submission, struct err *err)
	attr_must_use;
/* Where the bundle lies in there. free() it. */
int docker_adopted_bundle(const struct job *job, char **ret, struct err *err) attr_must_use;
int docker_abandon(struct engine *engine, const struct job *job, struct err *err) attr_must_use;

/* Fetches endpoint.0.json into the job directory here. ERR_NOT_FOUND: it does not run. */
int docker_adopted_endpoint(struct engine *engine, const struct job *job, struct err *err)
	attr_must_use;

/* Brings this file of the job directory there. */
int docker_adopted_deliver(struct engine *engine, const struct job *job, const char *name,
			   struct err *err) attr_must_use;
