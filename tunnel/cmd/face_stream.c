/* SPDX-License-Identifier: MIT */
/* A pipe to one stream of the job; see face_stream.h. */
#include "face_stream.h"

#include "tunnel/wire/reason.h"

#define STATUS_OK 200
#define UP_MAX (2 * 1024 * 1024)
/* A backstop: the stream's credit is far smaller. */
#define DOWN_MAX (64 * 1024 * 1024)

static struct face_stream *face_stream_of(struct face *face)
{
	return container_of(face, struct face_stream, face);
}

void face_stream_end(struct face_stream *f, const struct err *why)
{
	if (f->over)
		return;
	f->over = true;
	f->why = *why;
}

int face_stream_put(struct face_stream *f, struct span bytes, struct err *err)
{
	if (!buf_append_span(&f->down, bytes))
		return err_set(err, ERR_PROTOCOL, "the job sends more than it may");
	return 0;
}

static void flush_up(struct face_stream *f)
{
	size_t taken;

	while (f->stream && f->status == STATUS_OK && buf_len(&f->up) > 0 &&
	       (taken = f->kind->pack(f->stream, buf_span(&f->up))) > 0)
		buf_consume(&f->up, taken);
}

static void give_credit(struct face_stream *f)
{
	size_t len = f->held - MIN(f->held, buf_len(&f->down));

	if (!f->stream || len == 0)
		return;
	f->held -= len;
	h3_stream_consumed(f->stream, len);
}

/* The stream */

static void on_response(struct h3_stream *stream, void *user, int status)
{
	struct face_stream *f = user;

	(void)stream;
	f->status = status;
	flush_up(f);
}

static void on_body(struct h3_stream *stream, void *user, struct span bytes)
{
	struct face_stream *f = user;
	struct err why = { 0 };

	if (f->status != STATUS_OK) {
		reason_add(&f->reason, bytes);
		h3_stream_consumed(stream, bytes.len);
		return;
	}
	f->held += bytes.len;
	if (!f->over && f->kind->unpack(f, bytes, &why) < 0)
		face_stream_end(f, &why);
	give_credit(f);
}

static void on_end(struct h3_stream *stream, void *user)
{
	struct face_stream *f = user;
	struct err why = { 0 };

	(void)stream;
	if (f->status == STATUS_OK) {
		f->kind->ended(f);
		return;
	}
	err_set(&why, ERR_UNAVAILABLE, "%s", reason_text(&f->reason, "the job refused"));
	if (f->what)
		err_wrap(&why, "%s", f->what);
	face_stream_end(f, &why);
}

static void on_writable(struct h3_stream *stream, void *user)
{
	(void)stream;
	flush_up(user);
}

static void on_closed(struct h3_stream *stream, void *user, const struct err *why)
{
	struct face_stream *f = user;

	(void)stream;
	f->stream = NULL;
	if (why && !f->done)
		face_stream_end(f, why);
}

static const struct h3_stream_ops stream_ops = { on_response, on_body, on_end, on_writable,
						 on_closed };

/* The pipe */

static void input(struct face *face, struct span bytes)
{
	struct face_stream *f = face_stream_of(face);

	if (!buf_append_span(&f->up, bytes))
		face_stream_end(f, &(struct err){ ERR_INTERNAL, 0, "too much input" });
	flush_up(f);
}

static bool wants_input(struct face *face)
{
	return buf_len(&face_stream_of(face)->up) < UP_MAX / 4;
}

static struct span output(struct face *face)
{
	return buf_span(&face_stream_of(face)->down);
}

static void output_taken(struct face *face, size_t len)
{
	struct face_stream *f = face_stream_of(face);

	buf_consume(&f->down, len);
	give_credit(f);
}

static void connected(struct face *face, struct h3_conn *conn)
{
	struct face_stream *f = face_stream_of(face);
	struct err err = { 0 };

	if (f->kind->request(f, conn, &stream_ops, &err) < 0)
		face_stream_end(f, &err);
}

static void moved(struct face *face, struct h3_conn *conn)
{
	(void)face; /* the one request there is went along */
	(void)conn;
}

static void lost(struct face *face)
{
	const struct err known = { 0 }; /* whoever tells us knows why */

	face_stream_end(face_stream_of(face), &known);
}

static void turn(struct face *face)
{
	(void)face;
}

static bool is_over(struct face *face, struct err *why)
{
	struct face_stream *f = face_stream_of(face);

	if (f->over)
		*why = f->why;
	return f->over || (f->done && buf_len(&f->down) == 0);
}

static void free_face(struct face *face)
{
	struct face_stream *f = face_stream_of(face);

	buf_finish(&f->up);
	buf_finish(&f->down);
	buf_finish(&f->reason);
	f->kind->free(f);
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

void face_stream_init(struct face_stream *f, const struct face_stream_kind *kind)
{
	f->face.ops = &ops;
	f->kind = kind;
	buf_init(&f->up, UP_MAX);
	buf_init(&f->down, DOWN_MAX);
	buf_init(&f->reason, ERR_TEXT_MAX / 2);
}
