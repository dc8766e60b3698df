/* SPDX-License-Identifier: MIT */
#pragma once

/* Asking a Swarm for what it has, and removing it. All of it is known to managers only. */

#include "controller/backends/docker/engine.h"

/* An array; kind: "services", "tasks", ...; of those with this filter, or all when it is NULL. */
int swarm_list(struct engine *engine, const char *kind, const char *filter, const char *value,
	       json_t **ret, struct err *err) attr_must_use;

/* What is gone is success. */
int swarm_remove(struct engine *engine, const char *kind, const char *name, struct err *err)
	attr_must_use;

/*
 * The node that the engine itself is, "" when it is none of a Swarm. ERR_UNAVAILABLE says what to
 * do about an engine that is no manager. free() it.
 */
int swarm_find_self(struct engine *engine, char **ret, struct err *err) attr_must_use;

/* A text in a member, "" when there is none. */
const char *swarm_text(const json_t *object, const char *key);
