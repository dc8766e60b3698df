/* SPDX-License-Identifier: MIT */
/* Standard input and output to a TCP port in the job, as `ssh -W` would do it; see face.h. */
#include <stdio.h>

#include "init/base/alloc.h"
#include "tunnel/cmd/face_stream.h"

struct face_plain {
	struct face_stream stream;
	char target[32], what[32];
};

static struct face_plain *face_plain_of(struct face_stream *stream)
{
	return container_of(stream, struct face_plain, stream);
}

static int request(struct face_stream *f, struct h3_conn *conn, const struct h3_stream_ops *ops,
		   struct err *err)
{
	const struct h3_request request = { .method = "CONNECT",
					    .authority = face_plain_of(f)->target };

	return h3_conn_request(conn, &request, ops, f, &f->stream, err);
}

static size_t pack(struct h3_stream *stream, struct span bytes)
{
	bytes.len = MIN(bytes.len, h3_stream_room(stream));
	return bytes.len > 0 && h3_stream_write(stream, bytes) ? bytes.len : 0;
}

static void ended(struct face_stream *f)
{
	f->done = true;
}

static void free_face(struct face_stream *f)
{
	free(face_plain_of(f));
}

static const struct face_stream_kind kind = { request, pack, face_stream_put, ended, free_face };

struct face *face_plain_new(unsigned int port)
{
	struct face_plain *f = new_zero(struct face_plain);

	face_stream_init(&f->stream, &kind);
	snprintf(f->target, sizeof(f->target), "127.0.0.1:%u", port);
	snprintf(f->what, sizeof(f->what), "port %u in the job", port);
	f->stream.what = f->what;
	return &f->stream.face;
}
