/* SPDX-License-Identifier: MIT */
/* Standard input and output to a subsystem of the job, `sftp` for example; see face.h. */
#include "face.h"

#include "init/base/alloc.h"
#include "init/base/buf.h"
#include "init/base/log.h"
#include "tunnel/wire/capsule.h"
#include "tunnel/wire/process.h"
#include "tunnel/wire/reason.h"

#define STATUS_OK 200
#define UP_MAX (2 * 1024 * 1024)
/* A backstop: the stream's credit is far smaller. */
#define DOWN_MAX (64 * 1024 * 1024)
/* Less room than this is not worth a capsule. */
#define ROOM_MIN 4096

struct face_subsystem {
	struct face face;
	const char *name, *job; /* borrowed */
	struct h3_stream *stream;
	struct capsule_reader reader;
	struct buf up, down, reason;
	size_t held; /* received and not reported as consumed */
	int status;  /* of the response; 0: none yet */
	bool over, exited;
	struct err why;
};

static struct face_subsystem *face_subsystem_of(struct face *face)
{
	return container_of(face, struct face_subsystem, face);
}

static void end(struct face_subsystem *f, const struct err *why)
{
	if (f->over)
		return;
	f->over = true;
	f->why = *why;
}

static void flush_up(struct face_subsystem *f)
{
	uint8_t head[CAPSULE_HEAD_MAX];
	size_t room, len;

	/* START went ahead; what follows is for a process that runs. */
	if (!f->stream || f->status != STATUS_OK)
		return;
	while (buf_len(&f->up) > 0 && (room = h3_stream_room(f->stream)) > ROOM_MIN) {
		struct span part = buf_span(&f->up);

		part.len = MIN(MIN(part.len, room - CAPSULE_HEAD_MAX), (size_t)PROCESS_DATA_MAX);
		len = capsule_put_head(PROCESS_STDIN, part.len, head);
		if (!h3_stream_write(f->stream, span_of(head, len)) ||
		    !h3_stream_write(f->stream, part))
			break;
		buf_consume(&f->up, part.len);
	}
}

static void give_credit(struct face_subsystem *f)
{
	size_t len = f->held - MIN(f->held, buf_len(&f->down));

	if (!f->stream || len == 0)
		return;
	f->held -= len;
	h3_stream_consumed(f->stream, len);
}

static bool is_stream(void *user, uint64_t type)
{
	(void)user;
	return type != PROCESS_EXIT && type != PROCESS_EXIT_SIGNAL;
}

static void on_piece(void *user, uint64_t type, struct span bytes)
{
	struct face_subsystem *f = user;

	if (type == PROCESS_STDOUT && !buf_append_span(&f->down, bytes))
		end(f, &(struct err){ ERR_PROTOCOL, 0, "the job sends more than it may" });
	if (type == PROCESS_STDERR)
		log_warn("%s: %.*s", f->name, (int)MIN(bytes.len, (size_t)512),
			 (const char *)bytes.ptr);
}

static int on_whole(void *user, uint64_t type, struct span value, struct err *err)
{
	struct face_subsystem *f = user;
	struct process_exit how;

	if (process_exit_parse(type, value, &how, err) < 0)
		return -1;
	f->exited = true;
	/* Whoever talks to it leaves first, and then nobody waits for this. */
	return err_set(err, ERR_UNAVAILABLE, "%s: %s ended", f->job, f->name);
}

static const struct capsule_ops capsule_ops = { is_stream, on_piece, on_whole };

static void on_response(struct h3_stream *stream, void *user, int status)
{
	struct face_subsystem *f = user;

	(void)stream;
	f->status = status;
	flush_up(f);
}

static void on_body(struct h3_stream *stream, void *user, struct span bytes)
{
	struct face_subsystem *f = user;
	struct err why = { 0 };

	if (f->status != STATUS_OK) {
		reason_add(&f->reason, bytes);
		h3_stream_consumed(stream, bytes.len);
		return;
	}
	f->held += bytes.len;
	if (!f->over && capsule_reader_feed(&f->reader, bytes, &why) < 0)
		end(f, &why);
	give_credit(f);
}

static void on_end(struct h3_stream *stream, void *user)
{
	struct face_subsystem *f = user;
	struct err why = { 0 };

	(void)stream;
	if (f->exited)
		return;
	if (f->status == STATUS_OK)
		err_set(&why, ERR_UNAVAILABLE, "%s: %s ended", f->job, f->name);
	else
		err_set(&why, ERR_UNAVAILABLE, "%s", reason_text(&f->reason, "the job refused"));
	end(f, &why);
}

static void on_writable(struct h3_stream *stream, void *user)
{
	(void)stream;
	flush_up(user);
}

static void on_closed(struct h3_stream *stream, void *user, const struct err *why)
{
	struct face_subsystem *f = user;

	(void)stream;
	f->stream = NULL;
	if (why && !f->exited)
		end(f, why);
}

static const struct h3_stream_ops stream_ops = { on_response, on_body, on_end, on_writable,
						 on_closed };

static void input(struct face *face, struct span bytes)
{
	struct face_subsystem *f = face_subsystem_of(face);

	if (!buf_append_span(&f->up, bytes))
		end(f, &(struct err){ ERR_INTERNAL, 0, "too much input" });
	flush_up(f);
}

static bool wants_input(struct face *face)
{
	return buf_len(&face_subsystem_of(face)->up) < UP_MAX / 4;
}

static struct span output(struct face *face)
{
	return buf_span(&face_subsystem_of(face)->down);
}

static void output_taken(struct face *face, size_t len)
{
	struct face_subsystem *f = face_subsystem_of(face);

	buf_consume(&f->down, len);
	give_credit(f);
}

static void connected(struct face *face, struct h3_conn *conn)
{
	static const struct h3_request request = { .method = "CONNECT",
						   .protocol = "berth-process",
						   .authority = "job",
						   .path = "/process" };
	struct face_subsystem *f = face_subsystem_of(face);
	cleanup(buf_finish) struct buf b = BUF_INIT(256);
	cleanup_free struct process_start *start = new_zero(struct process_start);
	struct err err = { 0 };

	start->kind = PROCESS_SUBSYSTEM;
	start->command = span_of_str(f->name);
	if (h3_conn_request(conn, &request, &stream_ops, f, &f->stream, &err) < 0)
		end(f, &err);
	else if (!process_start_format(start, &b) || !h3_stream_write(f->stream, buf_span(&b)))
		end(f, &(struct err){ ERR_INVALID, 0, "too long a name of a subsystem" });
}

static void lost(struct face *face)
{
	const struct err known = { 0 }; /* whoever tells us knows why */

	end(face_subsystem_of(face), &known);
}

static void turn(struct face *face)
{
	(void)face;
}

static bool is_over(struct face *face, struct err *why)
{
	struct face_subsystem *f = face_subsystem_of(face);

	if (f->over)
		*why = f->why;
	return f->over || (f->exited && buf_len(&f->down) == 0);
}

static void free_face(struct face *face)
{
	struct face_subsystem *f = face_subsystem_of(face);

	capsule_reader_finish(&f->reader);
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
	.lost = lost,
	.turn = turn,
	.is_over = is_over,
	.free = free_face,
};

struct face *face_subsystem_new(const char *name, const char *job)
{
	struct face_subsystem *f = new_zero(struct face_subsystem);

	f->face.ops = &ops;
	f->name = name;
	f->job = job ? job : "job";
	capsule_reader_init(&f->reader, &capsule_ops, f, PROCESS_VALUE_MAX);
	buf_init(&f->up, UP_MAX);
	buf_init(&f->down, DOWN_MAX);
	buf_init(&f->reason, ERR_TEXT_MAX / 2);
	return &f->face;
}
