/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * The tasks of an array, and the attempts of a job.
 */

#include "controller/model/run.h"
#include "controller/model/use.h"
#include "controller/ops/controller.h"

/*
 * Of a job that ops_select() gave: of an array its tasks (those that are meant alone, if some are),
 * of another job each attempt, the one that the record is about being the last. What accounting
 * knows of them is added, where there is some and it answers. Of one rank its newest attempt alone.
 */
int ops_list_runs(struct controller *c, const struct job *job, struct run_list *ret,
		  struct err *err) attr_must_use;

/* What a running job, or a task of an array, uses as its scheduler measures it (sstat). */
int ops_stat_by_scheduler(struct controller *c, const struct job *job, struct use *ret,
			  struct err *err) attr_must_use;
