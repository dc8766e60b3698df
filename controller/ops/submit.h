/* SPDX-License-Identifier: MIT */
#pragma once

#include "controller/ops/controller.h"

/*
 * Submits a job to a cluster (NULL: the chosen one, where.h), whose configuration adds what the
 * specification does not say: records it, makes its directory and keys, tells ssh about it, and
 * hands it to the backend. When a step fails, the steps before it are undone and nothing is left
 * but the number. *ret_job is the record.
 */
int ops_submit(struct controller *c, const char *cluster, const struct spec *spec,
	       struct job *ret_job, struct notes *notes, struct err *err) attr_must_use;

/*
 * For when the user has the answer: begins what makes the next submission quick, a pair of spare
 * keys, in a process that nobody waits for.
 */
void ops_make_spare(struct controller *c);

/* What the backend would be handed; nothing is recorded or made. */
int ops_render(struct controller *c, const char *cluster, const struct spec *spec, struct buf *ret,
	       struct err *err) attr_must_use;
