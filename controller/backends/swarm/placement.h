/* SPDX-License-Identifier: MIT */
#pragma once

/* Where a Swarm runs the tasks of a job, and how much of a node each gets. Pure. */

#include "controller/model/json.h"
#include "controller/model/spec.h"

/*
 * Fills "Placement" and "Resources" of a service's task template. body: the container, as an engine
 * alone would be asked for it. What a task is limited to is also kept for it on its node.
 */
int swarm_place(json_t *template, const struct spec *spec, const json_t *body, struct err *err)
	attr_must_use;
