/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What comes from the job on its way to our standard output or error. What the reader does not take
 * waits here and counts: whoever feeds it gives the job credit only for the rest.
 *
 * With a prefix ("3: ") each line begins with it, and lines are written whole, so that those of
 * several programs on one terminal do not mix. A last line without an end gets one.
 */

#include "init/base/buf.h"
#include "tunnel/cmd/stdfd.h"

struct output {
	struct stdfd io;
	struct buf pending; /* as it came: a prefix must not make more of it than there is credit */
	struct buf lines;   /* of it, with their prefix, as far as they are being written */
	const char *prefix; /* or NULL; borrowed */
	bool broken;	    /* nobody reads: what comes is thrown away */
	bool ended;
	/* Some of it was written, or nobody reads any more. */
	void (*moved)(struct output *output);
};

int output_open(struct output *output, uv_loop_t *loop, int given, struct err *err) attr_must_use;
/* Closes and frees. */
void output_finish(struct output *output);

/* False when more waits than any flow control allows. */
bool output_put(struct output *output, struct span bytes) attr_must_use;
/* No more comes: a line that was begun is written. */
void output_end(struct output *output);

static inline size_t output_waiting(const struct output *output)
{
	return buf_len(&output->pending);
}

/* All of it was written. */
static inline bool output_is_empty(const struct output *output)
{
	return buf_len(&output->pending) + buf_len(&output->lines) == 0;
}
