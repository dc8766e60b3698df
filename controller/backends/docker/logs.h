/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What a container printed. The engine tells it from the beginning and knows no offsets, so that a
 * reading is kept open: who goes on where he stopped gets what follows, and who jumps begins anew.
 * A log that has been read to its end is followed from then on.
 */

#include "controller/backends/backend.h"
#include "controller/backends/docker/engine.h"
#include "controller/backends/docker/frames.h"
#include "controller/http/stream.h"

struct docker_reading {
	struct http_stream *stream;
	struct frames frames;
	char id[BACKEND_ID_MAX]; /* of its source */
	enum log_stream which;
	uint64_t since_ns;
	uint64_t offset; /* of what comes next */
	bool is_at_end;	 /* as it was when it was opened */
	bool follows;
};

void docker_reading_finish(struct docker_reading *reading);

/* Whose log it is: a container's, or that of a task of a Swarm. */
struct docker_source {
	const char *kind; /* as the path of a request begins: "containers", "tasks" */
	const char *id;
	bool is_over; /* nothing is added any more */
};

/* Whether the reading goes on there without the engine being asked anything else. */
bool docker_reading_is_at(const struct docker_reading *reading, const char *id,
			  const struct log_part *part);

/* As backend_ops.read_log; since_ns of a part is the engine's own `since`. */
int docker_read_log(struct engine *engine, struct docker_reading *reading,
		    const struct docker_source *source, const struct log_part *part,
		    struct buf *ret, struct err *err) attr_must_use;
