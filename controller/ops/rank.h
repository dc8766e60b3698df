/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * One rank of several, to be looked at: what its status file says, and its node where its endpoint
 * tells that. The scheduler knows the job alone, so that the rest is what is known of the job, or
 * of the task of its array.
 */

#include "controller/model/run.h"
#include "controller/ops/controller.h"

/*
 * Of a record that is as its job is, or its task, and means one rank (job->of_rank): lets it say
 * how that rank is. What it left may be out of reach, and the job may not have got so far: then
 * neither exit code nor signal is known.
 */
void rank_show(struct controller *c, struct job *job);

/* Adds the newest attempt of the rank, of a record after rank_show(). */
void rank_add_run(struct controller *c, const struct job *job, struct run_list *runs);
