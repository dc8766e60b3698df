/* SPDX-License-Identifier: MIT */
#pragma once

/* What the two halves of a collection share: gc.c, and gc_directories.c for those of jobs. */

#include "controller/ops/gc.h"
#include "controller/ops/internal.h"

struct collection {
	struct controller *c;
	const struct gc_plan *plan;
	uint64_t before_ns;  /* what ended or was last used before this is old */
	uint64_t settled_ns; /* what was begun before this is not being made right now */
	uint64_t quiet_ns;   /* what was begun before this is hardly being submitted right now */
	struct gc_report report;
	struct err *err; /* takes the first failure only */
	bool failed;
	bool in_passing;
	bool was_refused; /* a backend did not answer when it was asked about its jobs */
};

/* Notes a failure; the place for it is gone once it is filled. */
void gc_note(struct collection *g, int result);

/* The directories of jobs that have ended: by age, and of each cluster by its quota. */
void gc_collect_directories(struct collection *g);

/* Those of submissions that died before there was a record. */
void gc_collect_unrecorded(struct collection *g);
