/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The container of a job, from what was asked for to one that runs, in as few requests as it can:
 * each costs the engine time, and what has to do with files most.
 */

#include "controller/backends/backend.h"
#include "controller/backends/docker/engine.h"
#include "controller/model/json.h"

/* What is wrong with it without asking the engine. */
int docker_check(const struct submission *submission, struct err *err) attr_must_use;

/* As the members of backend_ops; docker_check() has let it pass. */
int docker_submit(struct engine *engine, const struct submission *submission, struct submitted *ret,
		  struct err *err) attr_must_use;
int docker_render(const struct submission *submission, struct buf *ret, struct err *err)
	attr_must_use;

/* Brings this file of the job directory into it. */
int docker_put_file(struct engine *engine, const struct job *job, const char *name, struct err *err)
	attr_must_use;

/* What the engine says of a container. ERR_NOT_FOUND. */
int docker_inspect(struct engine *engine, const char *id, json_t **ret, struct err *err)
	attr_must_use;

/* Has it do something: "start", "kill?signal=TERM". */
int docker_post(struct engine *engine, const char *id, const char *what, struct err *err)
	attr_must_use;

/* With its anonymous volumes. What is gone is success. */
int docker_remove(struct engine *engine, const char *name, struct err *err) attr_must_use;
