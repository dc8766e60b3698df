/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * What faces share that are a pipe to one stream of the job: input waits until the request was
 * accepted and the stream has room, output is not credited before it was taken, a refusal ends with
 * the job's reason. A kind of face makes the request and says what its body looks like.
 */

#include "init/base/buf.h"
#include "init/base/err.h"
#include "tunnel/cmd/face.h"

struct face_stream;

struct face_stream_kind {
	/* Makes the request, with the given callbacks and the face as their user. */
	int (*request)(struct face_stream *face, struct h3_conn *conn,
		       const struct h3_stream_ops *ops, struct err *err);
	/*
	 * Writes the beginning of the input to the stream; how much of it, 0 when there is no room.
	 */
	size_t (*pack)(struct h3_stream *stream, struct span bytes);
	/* Some of the body: appends to face->down what is output, sets face->done at the end. */
	int (*unpack)(struct face_stream *face, struct span bytes, struct err *err);
	/* The body of an accepted request has ended, before face->done was set or after it. */
	void (*ended)(struct face_stream *face);
	/* Frees the face that this is part of. */
	void (*free)(struct face_stream *face);
};

struct face_stream {
	struct face face;
	const struct face_stream_kind *kind;
	const char *what; /* for "WHAT: the job's reason"; NULL: the reason alone. Borrowed */
	struct h3_stream *stream;
	struct buf up, down, reason;
	size_t held; /* received and not reported as consumed */
	int status;  /* of the response; 0: none yet */
	bool over, done;
	struct err why;
};

void face_stream_init(struct face_stream *face, const struct face_stream_kind *kind);
/* Ends the face; only the first reason counts. */
void face_stream_end(struct face_stream *face, const struct err *why);
/* Appends to the output; ERR_PROTOCOL when the job sends more than its credit. */
int face_stream_put(struct face_stream *face, struct span bytes, struct err *err) attr_must_use;
