/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Programs that the engine starts in a container that runs: created, started on a connection that
 * stops being HTTP (101), and asked at its end how they ended. Without a terminal, what they write
 * comes in frames (frames.h); with one, as it is.
 */

#include "controller/backends/backend.h"
#include "controller/backends/docker/engine.h"

/* As backend_ops.exec; id: the container's. Whose program it is is the container's user's. */
int docker_exec(struct engine *engine, const char *id, const struct backend_exec *exec,
		int *ret_status, struct err *err) attr_must_use;

/*
 * A program that reads its input, and whose output is kept, at most as much as ret holds; what it
 * says on standard error is the error when it fails. argv[0] has to be an absolute path, or in the
 * container's PATH. ERR_NOT_FOUND: the container has no such program.
 */
struct docker_question {
	const char *const *argv;
	const char *user; /* "0", or NULL: the container's */
	struct span input;
};

int docker_ask(struct engine *engine, const char *id, const struct docker_question *question,
	       struct buf *ret, struct err *err) attr_must_use;

/*
 * As backend_ops.carry: by busybox of our bundle, which lies in this directory of the container and
 * connects its input and output to the port.
 */
int docker_carry(struct engine *engine, const char *id, const char *bundle,
		 const struct backend_carry *carry, struct err *err) attr_must_use;

/* Starts a program and leaves it to itself; its output is nobody's. */
int docker_start_program(struct engine *engine, const char *id, const char *const *argv,
			 struct err *err) attr_must_use;
