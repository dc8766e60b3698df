/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Which job directories of a cluster go: what ended long ago, and of the rest, the oldest first, so
 * many that what stays keeps to a limit of bytes and of directories. Only directories of jobs that
 * have ended are counted, and only these can go.
 *
 * How large they are is asked in one message, however many there are: `du` in the place where they
 * lie.
 */

#include "controller/backends/site.h"
#include "controller/model/job.h"

#define QUOTA_NONE UINT64_MAX

struct quota {
	uint64_t before_ns; /* what ended before this goes */
	uint64_t bytes_max; /* of all that stay; QUOTA_NONE: any */
	uint64_t jobs_max;  /* so many stay; QUOTA_NONE: any */
};

/* The directory of a job that has ended. */
struct quota_item {
	struct job *job; /* borrowed */
	uint64_t bytes;	 /* on the disk; 0 before it was measured, and of one that is gone */
	bool goes;
	bool is_old; /* it goes for its age */
};

/* Sorts the items, what ended first before others, and says which go. */
void quota_choose(struct quota_item *items, size_t len, const struct quota *quota);

/* Asks how large they are. On failure no size is changed. */
int quota_measure(struct site *site, struct quota_item *items, size_t len, struct err *err)
	attr_must_use;

/*
 * Takes what du printed ("KIBIBYTES\tDIRECTORY" lines); lines about anything else are passed over.
 * Foreign input: sizes are cut to what 63 bits hold.
 */
void quota_read_sizes(struct span text, struct quota_item *items, size_t len);
