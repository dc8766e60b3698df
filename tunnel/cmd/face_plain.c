/* SPDX-License-Identifier: MIT */
/* Standard input and output to a TCP port in the job, as `ssh -W` would do it; see face.h. */
#include "face.h"

#include <stdio.h>

#include "init/base/alloc.h"
#include "init/base/buf.h"
#include "tunnel/wire/reason.h"

#define STATUS_OK 200
/* A backstop: the stream's credit is far smaller. */
#define DOWN_MAX (64 * 1024 * 1024)

struct face_plain {
	struct face face;
	unsigned int port;
	struct h3_stream *stream;
	struct buf up, down, reason;
	int status; /* of the response; 0: none yet */
	bool over, ended;
	struct err why;
};

static struct face_plain *face_plain_of(struct face *face)
{
	return container_of(face, struct face_plain, face);
}

static void end(struct face_plain *f, const struct err *why)
{
	if (f->over)
		return;
	f->over = true;
	f->why = *why;
}

static void flush_up(struct face_plain *f)
{
	size_t room;

	if (!f->stream || f->status != STATUS_OK)
		return;
	while (buf_len(&f->up) > 0 && (room = h3_stream_room(f->stream)) > 0) {
		struct span part = buf_span(&f->up);

		part.len = MIN(part.len, room);
		if (!h3_stream_write(f->stream, part))
			break;
		buf_consume(&f->up, part.len);
	}
}

static void on_response(struct h3_stream *stream, void *user, int status)
{
	struct face_plain *f = user;

	(void)stream;
	f->status = status;
	flush_up(f);
}

static void on_body(struct h3_stream *stream, void *user, struct span bytes)
{
	struct face_plain *f = user;

	if (f->status == STATUS_OK) {
		if (!buf_append_span(&f->down, bytes))
			end(f, &(struct err){ ERR_PROTOCOL, 0, "the job sends more than it may" });
		return;
	}
	reason_add(&f->reason, bytes);
	h3_stream_consumed(stream, bytes.len);
}

static void on_end(struct h3_stream *stream, void *user)
{
	struct face_plain *f = user;
	struct err why = { 0 };

	(void)stream;
	f->ended = true;
	if (f->status != STATUS_OK) {
		err_set(&why, ERR_UNAVAILABLE, "port %u in the job: %s", f->port,
			reason_text(&f->reason, "refused"));
		end(f, &why);
	}
}

static void on_writable(struct h3_stream *stream, void *user)
{
	(void)stream;
	flush_up(user);
}

static void on_closed(struct h3_stream *stream, void *user, const struct err *why)
{
	struct face_plain *f = user;

	(void)stream;
	f->stream = NULL;
	if (why && !f->ended)
		end(f, why);
	f->ended = true;
}

static const struct h3_stream_ops stream_ops = { on_response, on_body, on_end, on_writable,
						 on_closed };

static void input(struct face *face, struct span bytes)
{
	struct face_plain *f = face_plain_of(face);

	if (!buf_append_span(&f->up, bytes))
		end(f, &(struct err){ ERR_INTERNAL, 0, "too much input" });
	flush_up(f);
}

static bool wants_input(struct face *face)
{
	return buf_len(&face_plain_of(face)->up) == 0;
}

static struct span output(struct face *face)
{
	return buf_span(&face_plain_of(face)->down);
}

static void output_taken(struct face *face, size_t len)
{
	struct face_plain *f = face_plain_of(face);

	buf_consume(&f->down, len);
	if (f->stream)
		h3_stream_consumed(f->stream, len);
}

static void connected(struct face *face, struct h3_conn *conn)
{
	struct face_plain *f = face_plain_of(face);
	struct h3_request request = { .method = "CONNECT" };
	struct err err = { 0 };
	char target[32];

	snprintf(target, sizeof(target), "127.0.0.1:%u", f->port);
	request.authority = target;
	if (h3_conn_request(conn, &request, &stream_ops, f, &f->stream, &err) < 0)
		end(f, &err);
}

static void moved(struct face *face, struct h3_conn *conn)
{
	(void)face; /* the one request there is went along */
	(void)conn;
}

static void lost(struct face *face)
{
	const struct err known = { 0 }; /* whoever tells us knows why */

	end(face_plain_of(face), &known);
}

static void turn(struct face *face)
{
	(void)face;
}

static bool is_over(struct face *face, struct err *why)
{
	struct face_plain *f = face_plain_of(face);

	if (f->over)
		*why = f->why;
	return f->over || (f->ended && buf_len(&f->down) == 0);
}

static void free_face(struct face *face)
{
	struct face_plain *f = face_plain_of(face);

	buf_finish(&f->up);
	buf_finish(&f->down);
	buf_finish(&f->reason);
	free(f);
}

static const struct face_ops ops = {
	.input = input,
	.wants_input = wants_input,
	.output = output,
	.output_taken = output_taken,
	.connected = connected,
	.moved = moved,
	.lost = lost,
	.turn = turn,
	.is_over = is_over,
	.free = free_face,
};

struct face *face_plain_new(unsigned int port)
{
	struct face_plain *f = new_zero(struct face_plain);

	f->face.ops = &ops;
	f->port = port;
	buf_init(&f->up, 2 * 1024 * 1024);
	buf_init(&f->down, DOWN_MAX);
	buf_init(&f->reason, ERR_TEXT_MAX / 2);
	return &f->face;
}
