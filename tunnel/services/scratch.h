/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * A directory of the job's own on this node, 0700, for what must not lie on a shared file system:
 * locks of flock(2), sockets, files that name a process of one node. It is made when it is first
 * asked for, found again by a tunnel that was restarted, and removed when the job ends.
 *
 *	$TMPDIR/berth-UID-JOB.RANK, else /tmp/..., else the same in the job directory
 */

#include <limits.h>
#include <stdbool.h>

#include "init/base/cleanup.h"

struct scratch {
	const char *const *places; /* where it may lie, best first, NULL at the end; borrowed */
	char *name;		   /* "berth-1000-65a0-3f.0" */
	char *path;		   /* NULL: not made yet, or it cannot be made */
	bool failed;
};

/* job tells submissions apart; places are borrowed. */
void scratch_init(struct scratch *scratch, const char *const *places, const char *job,
		  unsigned int rank);
void scratch_finish(struct scratch *scratch);
DEFINE_CLEANUP_VALUE(struct scratch, scratch_finish)

/* A subdirectory, made if need be. False when there can be none: every place is read-only. */
bool scratch_make(struct scratch *scratch, const char *name, char ret[PATH_MAX]);

/*
 * Removes it with everything in it. Waits for at most timeout_ms, since processes that are being
 * ended may still write there. This blocks: it is for the end of the program.
 */
void scratch_remove(struct scratch *scratch, unsigned int timeout_ms);
