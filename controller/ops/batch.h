/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * One request to each backend about all of its jobs in a list.
 */

#include "controller/ops/internal.h"

struct batch_plan {
	const char *what; /* "cancel": for errors */
	bool (*wants)(const struct job *job);
	int (*ask)(struct backend *backend, const void *arg, const struct job *const *jobs,
		   size_t len, struct err *err);
	const void *arg;
};

/* Every backend is asked; the first failure is reported, as "cannot cancel job-7: ...". */
int batch_ask(struct controller *c, const struct batch_plan *plan, const struct job_list *jobs,
	      struct err *err) attr_must_use;
