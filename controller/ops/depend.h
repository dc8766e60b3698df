/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Jobs that a job waits for, by our names for them (dependency.h). They must be on the cluster that
 * it goes to.
 */

#include "controller/model/spec.h"
#include "controller/ops/where.h"

/* What the specification borrows then. */
struct depend {
	char *dependency;   /* or NULL */
	char *script_lines; /* or NULL */
};

void depend_finish(struct depend *depend);
DEFINE_CLEANUP_VALUE(struct depend, depend_finish)

/*
 * Gives the specification the scheduler's ids in place of names. A script that says them in its own
 * lines gets one more line, which wins over those.
 */
int depend_resolve(struct controller *c, const struct where *where, struct spec *spec,
		   struct depend *ret, struct err *err) attr_must_use;
